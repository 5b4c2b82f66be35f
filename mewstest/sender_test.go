package mewstest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// TestAnswers: what Mews takes for delivered, and what becomes of the rest.
func TestAnswers(t *testing.T) {
	redirect := func(status int, to string) http.HandlerFunc {
		return func(rw http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/webhooks/mews" {
				http.Redirect(rw, req, to, status)
			}
		}
	}
	status := func(status int) http.HandlerFunc {
		return func(rw http.ResponseWriter, req *http.Request) { rw.WriteHeader(status) }
	}
	for name, tt := range map[string]struct {
		handler   http.Handler
		status    int
		delivered bool
		leaks     int
		trouble   string
	}{
		"200":                   {handler: status(200), status: 200, delivered: true},
		"202":                   {handler: status(202), status: 202, delivered: true},
		"204":                   {handler: status(204), status: 204, delivered: true},
		"201":                   {handler: status(201), status: 201},
		"206":                   {handler: status(206), status: 206},
		"400":                   {handler: status(400), status: 400},
		"500":                   {handler: status(500), status: 500},
		"302":                   {handler: redirect(302, "/other"), status: 302},
		"303":                   {handler: redirect(303, "/other"), status: 303},
		"307":                   {handler: redirect(307, "/other"), status: 200, delivered: true, leaks: 1},
		"308":                   {handler: redirect(308, "/other"), status: 200, delivered: true, leaks: 1},
		"307 to itself":         {handler: redirect(307, "/webhooks/mews"), status: 307, leaks: 11, trouble: "redirected too often"},
		"307 to somewhere else": {handler: redirect(307, "https://elsewhere.example/"), status: 307, leaks: 1, trouble: "redirected to another host, not followed"},
		"307 to nowhere":        {handler: status(307), status: 307},
		"panic":                 {handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") }), trouble: "the receiver panicked"},
		"abort":                 {handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), trouble: "no connection"},
		"nothing":               {handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), status: 200, delivered: true},
	} {
		t.Run(name, func(t *testing.T) {
			sender := mewstest.Sender{Receiver: tt.handler, URL: "http://receiver.test/webhooks/mews"}
			a := sender.Post(t.Context(), []byte("{}"))
			if a.Status != tt.status || a.Delivered() != tt.delivered || a.Redirected != tt.leaks || a.Trouble != tt.trouble {
				t.Errorf("%+v", a)
			}
		})
	}
}

// TestRedirectionLeaks: http.ServeMux redirects a path that wants cleaning, and Mews
// follows with body and token; the World counts that.
func TestRedirectionLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newNaive()
		mux := http.NewServeMux()
		mux.Handle("/webhooks/mews", keys)
		mews := mewstest.New(&mewstest.Options{
			Receiver: mux, URL: "http://receiver.test//webhooks/mews?x=1", Secret: lifecycle.NewToken("a&b"),
		})
		mews.Connect("A")
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := mews.Stats(); s.Leaks != 1 || s.Accepted != 1 {
			t.Errorf("%+v", s)
		}
		if len(keys.requests) != 1 || keys.requests[0].secret != "a&b" {
			t.Errorf("the secret did not come: %d requests", len(keys.requests))
		}
	})
}

// TestOverHTTP: a World whose receiver is at the end of a wire, in real time.
func TestOverHTTP(t *testing.T) {
	keys := newNaive()
	server := httptest.NewServer(keys)
	mews := mewstest.New(&mewstest.Options{
		URL: server.URL + "/webhooks/mews", Secret: lifecycle.NewToken("s"), Lag: mewstest.AtOnce,
		Gap: mewstest.Spread{Max: time.Millisecond}, Faults: mewstest.Faults{General: 0.5},
	})
	var hotels []*mewstest.Integration
	for range 20 {
		hotels = append(hotels, mews.Connect("A"))
	}
	for _, hotel := range hotels {
		hotel.RotateKey()
		hotel.Disable()
	}
	mews.EventuallyRight(t, keys.Status, time.Second)
	if s := mews.Stats(); s.Answers[204] <= 60 || s.Answers[204] != s.Attempts {
		t.Errorf("%+v", s)
	}
	server.Close()
	hotels[0].Enable()
	if err := mews.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := mews.Stats(); s.Discarded == 0 || s.Answers[0] < 3 {
		t.Errorf("nobody was there, and yet: %+v", s)
	}
}

// TestNeverAskedForNetwork: without a receiver and without a URL, nobody is called.
func TestNeverAskedForNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(nil)
		hotel := mews.Connect("A")
		if a := hotel.Latest().Deliver(); a.Trouble != "no connection" || a.Took != 0 {
			t.Errorf("%+v", a)
		}
	})
	if a := (&mewstest.Sender{URL: "/webhooks"}).Post(t.Context(), nil); a.Trouble != "the URL is none" {
		t.Errorf("%+v", a)
	}
}

// TestTransport: requests by direct calls look to both sides as over a network.
func TestTransport(t *testing.T) {
	t.Run("both sides", func(t *testing.T) {
		var ctx context.Context
		client := &http.Client{Transport: mewstest.Transport(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			ctx = req.Context()
			body, err := io.ReadAll(req.Body)
			if err != nil || string(body) != "hello" || req.Host != "mews.test" || req.RequestURI != "/a?b=c" ||
				req.URL.Host != "" || req.RemoteAddr == "" || req.ContentLength != 5 {
				t.Errorf("%q, %v: %+v", body, err, req)
			}
			rw.Header().Set("X", "before")
			rw.WriteHeader(http.StatusTeapot)
			rw.Header().Set("X", "after")
			_, _ = io.WriteString(rw, "short and stout")
		}))}
		req, err := http.NewRequest(http.MethodPost, "https://mews.test/a?b=c", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute):
			t.Error("the request's context does not end with its handler")
		}
		answer, err := io.ReadAll(res.Body)
		if err != nil || string(answer) != "short and stout" || res.StatusCode != http.StatusTeapot || res.Header.Get("X") != "before" {
			t.Errorf("%q, %v: %+v", answer, err, res)
		}
	})
	t.Run("time-out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ended := make(chan struct{})
			client := &http.Client{Timeout: time.Second, Transport: mewstest.Transport(http.HandlerFunc(
				func(rw http.ResponseWriter, req *http.Request) {
					<-req.Context().Done()
					close(ended)
				}))}
			began := time.Now()
			_, err := client.Get("http://mews.test/")
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			<-ended
		})
	})
	t.Run("nobody", func(t *testing.T) {
		client := &http.Client{Transport: mewstest.Transport(nil)}
		if _, err := client.Get("http://mews.test/"); err == nil {
			t.Error("an answer from nobody")
		}
	})
}
