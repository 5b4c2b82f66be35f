package client

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// answering returns a Client of an API that always gives one answer.
func answering(status int, body string) *Client {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	return InProcess(handler, lifecycle.NewToken("canary-key"), "0.0.0")
}

// TestErrors: an answer that is not a 200 says what to do next, and quotes neither key nor
// token.
func TestErrors(t *testing.T) {
	problem := func(code, detail string) string { return `{"error":"` + code + `","detail":"` + detail + `"}` }
	for _, test := range []struct {
		status int
		body   string
		want   string
	}{
		{http.StatusUnauthorized, problem("invalid_client", "no key"), "the store answered 401: no key; set KEYRACK_API_KEY"},
		{http.StatusForbidden, problem("insufficient_scope", "needs admin"), "the store answered 403: needs admin"},
		{http.StatusNotFound, "a page of another server", "the store answered 404; check that --api is the URL"},
		{http.StatusNotFound, problem("not_found", "unknown path"), "; it may be an older version"},
		{http.StatusFound, "", "; check that --api is the URL"},
		{http.StatusServiceUnavailable, problem("unavailable", "an \\u001b[31m escape"), "an \uFFFD[31m escape"},
	} {
		c := answering(test.status, test.body)
		_, _, err := c.Introspect(t.Context(), lifecycle.NewToken("canary-token"))
		var failed *Error
		if !errors.As(err, &failed) || failed.Status != test.status || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d: %v, want %q", test.status, err, test.want)
			continue
		}
		sidecartest.Silent(t, "the error", err.Error())
	}
	if _, err := answering(http.StatusOK, "<html>canary").Get(t.Context(), nil, "v1"); err == nil {
		t.Error("an answer that is not JSON was read")
	} else {
		sidecartest.Silent(t, "the error", err.Error())
	}
}

// TestHistory: History goes through all pages and ends at the first error.
func TestHistory(t *testing.T) {
	var asked []string
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		after := req.URL.Query().Get("after")
		asked = append(asked, req.URL.EscapedPath()+" "+after)
		switch after {
		case "":
			_, _ = io.WriteString(w, `{"changes":[1,2],"next":"b"}`)
		case "b":
			_, _ = io.WriteString(w, `{"changes":[3],"next":"c"}`)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	c := InProcess(handler, lifecycle.Token{}, "0.0.0")
	var got strings.Builder
	var failed error
	for entry, err := range c.History(t.Context(), "a/b") {
		got.Write(entry)
		failed = err
	}
	if got.String() != "123" || !errors.As(failed, new(*Error)) {
		t.Errorf("%s, %v", got.String(), failed)
	}
	if want := "/v1/integrations/a%2Fb/history "; len(asked) != 3 || asked[0] != want || asked[2] != want+"c" {
		t.Errorf("asked %q", asked)
	}
}
