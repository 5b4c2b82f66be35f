package front

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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
			Refused:       func(r keyrack.ServedRequest) { refused = append(refused, r) },
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

// TestRefusedBody: a refused request whose body does not come loses its connection at once,
// and one whose body is there keeps it.
func TestRefusedBody(t *testing.T) {
	f := Handler{Path: keyrack.DefaultPath, Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "wrong secret", http.StatusUnauthorized)
	})}
	server := httptest.NewServer(&f)
	defer server.Close()
	for body, kept := range map[string]bool{"{}": true, "{": false} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		in := bufio.NewReader(conn)
		request := "POST /webhooks/mews HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n" + body
		for n := range 2 {
			began := time.Now()
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(in, nil)
			if err != nil && n == 1 && !kept {
				break // it is closed, as it should be
			}
			if err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%q: %d", body, resp.StatusCode)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%q: the server waited %v for the rest", body, took)
			}
			if n == 1 && !kept {
				t.Error("the connection is kept without the rest of the body")
			}
		}
	}
}
