package front

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack"
)

// TestHandler: what is answered in front of the library, and what is not.
func TestHandler(t *testing.T) {
	for _, test := range []struct {
		what, method, path, header, value string
		with                              bool // with a secret
		status                            int
	}{
		{"a load balancer", "GET", "/livez", "", "", true, 200},
		{"a load balancer that wants no body", "HEAD", "/livez", "", "", true, 200},
		{"a delivery to that path", "POST", "/livez", "", "", true, 204},
		{"a slash too many", "POST", "/webhooks/mews/", "", "", true, 404},
		{"another path like it", "GET", "/livez/", "", "", true, 204},
		{"a delivery", "POST", "/webhooks/mews", "Content-Type", "application/json", false, 204},
		{"a delivery of no type", "POST", "/webhooks/mews", "", "", false, 204},
		{"a page's text", "POST", "/webhooks/mews", "Content-Type", "text/plain;charset=UTF-8", false, 403},
		{"a page's form", "POST", "/webhooks/mews", "Content-Type", "application/x-www-form-urlencoded", false, 403},
		{"a page's files", "POST", "/webhooks/mews", "Content-Type", "multipart/form-data; boundary=x", false, 403},
		{"a page", "POST", "/webhooks/mews", "Origin", "https://evil.example", false, 403},
		{"a page of this machine", "POST", "/webhooks/mews", "Sec-Fetch-Site", "same-origin", false, 403},
		{"a page, where a secret protects", "POST", "/webhooks/mews", "Origin", "https://evil.example", true, 204},
	} {
		var refused []keyrack.ServedRequest
		f := Handler{
			Path:          keyrack.DefaultPath,
			Next:          http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
			WithoutSecret: !test.with,
			Observe:       func(r keyrack.ServedRequest) { refused = append(refused, r) },
		}
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), test.method, test.path, strings.NewReader("{}"))
		if test.header != "" {
			req.Header.Set(test.header, test.value)
		}
		f.ServeHTTP(w, req)
		if w.Code != test.status {
			t.Errorf("%s: %d", test.what, w.Code)
		}
		if observed := len(refused) == 1 && refused[0].Status == test.status; observed != (test.status >= 400) {
			t.Errorf("%s was observed as %v", test.what, refused)
		}
	}
}

// TestRefusedIsClosed: the server does not wait for the body of what is refused.
func TestRefusedIsClosed(t *testing.T) {
	for status, want := range map[int]string{401: "close", 404: "close", 405: "close", 413: "close", 204: "", 503: ""} {
		w := httptest.NewRecorder()
		f := Handler{Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, "") })}
		f.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/webhooks/mews", nil))
		if got := w.Header().Get("Connection"); got != want {
			t.Errorf("%d: Connection: %q", status, got)
		}
	}
}
