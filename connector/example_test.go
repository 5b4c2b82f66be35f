package connector_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Does this token still work?
func Example() {
	// A stand-in for Mews.
	mews := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"Enterprise": {"Id": "851df8c8-90f2-4c4a-8e01-a4fc46b25178", "Name": "Hotel"}}`)
	}))
	defer mews.Close()

	client, err := connector.New(mews.URL, // in production: connector.Production
		lifecycle.NewToken("the partner's own, made up"), "Acme Spa 2.1", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	answer, err := client.Probe(context.Background(), lifecycle.NewToken("the hotel's, made up"), "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Kind, answer.Enterprise.Name)
	// Output: accepted Hotel
}

// When to ask again, and what an error means: nothing about the token.
func ExampleBackoff() {
	mews := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer mews.Close()

	client, err := connector.New(mews.URL, lifecycle.NewToken("the partner's own, made up"), "Acme Spa 2.1", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	answer, err := client.Probe(context.Background(), lifecycle.NewToken("the hotel's, made up"), "")
	if errors.Is(err, connector.ErrSilent) {
		wait := connector.Backoff(1, answer.RetryAfter, nil)
		fmt.Println(err)
		fmt.Println(wait >= 20*time.Second, wait <= 22*time.Second)
	}
	// Output:
	// connector: no answer: status 429
	// true true
}
