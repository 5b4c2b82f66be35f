package keyrack_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// Refusals are counted without end, and remembered up to a few.
func TestRefusedIsBounded(t *testing.T) {
	r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h, err := r.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if status := post(h, fmt.Appendf(nil, "broken %d", i%500)); status != http.StatusBadRequest {
			t.Fatalf("answered %d", status)
		}
	}
	counts, recent := h.Refused()
	if counts[keyrack.RefusedSyntax] != 1000 || len(recent) > 100 {
		t.Errorf("%v, and %d remembered", counts, len(recent))
	}
	digests := map[string]bool{}
	for _, one := range recent {
		digests[one.Digest] = true
	}
	if len(digests) != len(recent) {
		t.Errorf("%d digests for %d bodies", len(digests), len(recent))
	}
	counts[keyrack.RefusedSyntax] = 0 // the caller's own
	if counts, _ := h.Refused(); counts[keyrack.RefusedSyntax] != 1000 {
		t.Error("the counts can be changed from outside")
	}
}

// hinting is a handler with a log, over a Rack of its own.
func hinting(t *testing.T, secret string, o *keyrack.HandlerOptions) (*keyrack.Handler, *testkit.Buffer) {
	t.Helper()
	logged := new(testkit.Buffer)
	r, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{Logger: slog.New(slog.NewTextHandler(logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	h, err := r.Handler([]keyrack.Secret{{Name: "2026", Value: keyrack.NewToken(secret)}}, o)
	if err != nil {
		t.Fatal(err)
	}
	return h, logged
}

// eats is a middleware that reads the body, as one does that logs or parses it.
func eats(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		next.ServeHTTP(w, req)
	})
}

// closes is a middleware that closes the body, as ParseForm in a careless one does.
func closes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.Body.Close()
		next.ServeHTTP(w, req)
	})
}

// TestFirstDay: what goes wrong on the first day is refused, and the log says why and what
// to look at, without a word of the request.
func TestFirstDay(t *testing.T) {
	const query = "?Token=needle-secret"
	strip := func(prefix string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler { return http.StripPrefix(prefix, next) }
	}
	tests := []struct {
		what, method, url, body string
		header                  []string
		around                  func(http.Handler) http.Handler
		why                     keyrack.Refusal
		hint                    string
	}{
		{what: "another path", url: "/needle/path" + query, why: "path", hint: "another path than the webhook"},
		{what: "a slash at the end", url: "/webhooks/mews/" + query, why: "path", hint: "slash at its end"},
		{what: "capitals", url: "/Webhooks/Mews" + query, why: "path", hint: "small and capital letters"},
		{what: "two slashes", url: "//webhooks//mews" + query, why: "path", hint: "doubled slash"},
		{what: "encoded", url: "/webhooks%2Fmews" + query, why: "path", hint: "percent-encoded"},
		{what: "a router that strips", url: "/webhooks/mews" + query, around: strip("/webhooks"), why: "path", hint: "was taken off before the handler"},
		{what: "a router that strips all of it", url: "/webhooks/mews" + query, around: strip("/webhooks/mews"), why: "path", hint: "was taken off before the handler"},
		{what: "a prefix that stayed", url: "/api/webhooks/mews" + query, why: "path", hint: "something stands before the webhook"},
		{what: "a proxy that rewrites", url: "/needle" + query, header: []string{"X-Forwarded-For", "10.0.0.1"}, why: "path", hint: "through a proxy"},
		{what: "a scanner", method: "GET", url: "/", why: "path", hint: "another path than"},

		{what: "a redirection", method: "GET", url: "/webhooks/mews" + query, why: "method", hint: "after a redirection"},
		{what: "another method", method: "PUT", url: "/webhooks/mews" + query, why: "method", hint: "POST alone"},

		{what: "no query", url: "/webhooks/mews", why: "secret", hint: "register it with ?Token=SECRET"},
		{what: "a proxy without the query", url: "/webhooks/mews", header: []string{"Via", "1.1 needle"}, why: "secret", hint: "have the proxy pass the query on"},
		{what: "another name", url: "/webhooks/mews?token=needle-secret", why: "secret", hint: "a capital T"},
		{what: "twice", url: "/webhooks/mews" + query + "&Token=x", why: "secret", hint: "stands there once"},
		{what: "another query", url: "/webhooks/mews?secret=needle-secret", why: "secret", hint: "no member Token"},
		{what: "an empty one", url: "/webhooks/mews?Token=", why: "secret", hint: "Token is empty"},
		{what: "in quotes", url: "/webhooks/mews?Token=%22needle-secret%22", why: "secret", hint: "in quotes"},
		{what: "a wrong one", url: "/webhooks/mews?Token=needle-wrong", why: "secret", hint: "another secret came"},

		{what: "a body that was eaten", url: "/webhooks/mews" + query, around: eats, why: "syntax", hint: "a middleware has read it"},
		{what: "a body that was closed", url: "/webhooks/mews" + query, around: closes, why: "body", hint: "was closed before the handler read it"},
		{what: "a packed body that was eaten", url: "/webhooks/mews" + query, header: []string{"Content-Encoding", "gzip"}, around: eats, why: "body", hint: "a middleware has read it"},
		{what: "a proxy that unpacked", url: "/webhooks/mews" + query, header: []string{"Content-Encoding", "gzip"}, why: "body", hint: "unpacked it and left the header"},
		{what: "another packing", url: "/webhooks/mews" + query, body: "\x1b\x03needle", header: []string{"Content-Encoding", "br"}, why: "syntax", hint: "something else than gzip"},
		{what: "a page", url: "/webhooks/mews" + query, body: "<html>needle", why: "syntax", hint: "HTML or XML"},
		{what: "a form", url: "/webhooks/mews" + query, body: "needle=1", why: "syntax", hint: "a form"},
		{what: "blank", url: "/webhooks/mews" + query, body: "  ", why: "syntax", hint: "no body"},
		{what: "half of it", url: "/webhooks/mews" + query, body: `{"needle`, why: "syntax", hint: "not strict JSON"},
		{what: "too large", url: "/webhooks/mews" + query, body: padded(65 << 10), why: "size", hint: "HandlerOptions.BodyLimit"},
	}
	for _, test := range tests {
		h, logged := hinting(t, "needle-secret", nil)
		handler := http.Handler(h)
		if test.around != nil {
			handler = test.around(h)
		}
		server := httptest.NewServer(handler)
		body := cmp.Or(test.body, enabledBody)
		req, err := http.NewRequestWithContext(t.Context(), cmp.Or(test.method, "POST"), server.URL+test.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if len(test.header) > 0 {
			req.Header.Set(test.header[0], test.header[1])
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", test.what, err)
		}
		answer.Body.Close()
		server.Close()
		_, recent := h.Refused()
		said := logged.String()
		if len(recent) != 1 || recent[0].Refusal != test.why || !strings.Contains(recent[0].Hint, test.hint) {
			t.Errorf("%s: %+v, want %s with the hint that %q", test.what, recent, test.why, test.hint)
			continue
		}
		if !strings.Contains(said, `msg="request refused" why=`+string(test.why)+" times=1") || !strings.Contains(said, test.hint) {
			t.Errorf("%s: the log says\n%s", test.what, said)
		}
		if strings.Contains(said, "needle") || strings.Contains(recent[0].Hint, "needle") {
			t.Errorf("%s: the log has something of the request:\n%s", test.what, said)
		}
	}
}

// TestRefusalsDoNotFillTheLog: a line for each hint at once, and then one in ten seconds,
// with how many it stands for.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, logged := hinting(t, "a secret", nil)
		ask := func(times int, query string) {
			for range times {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", keyrack.DefaultPath+query, strings.NewReader("{}")))
			}
		}
		ask(1000, "?Token=wrong")
		ask(1, "")
		if said := logged.String(); strings.Count(said, "\n") != 2 || strings.Count(said, "times=1 ") != 2 {
			t.Errorf("at first it says\n%s", said)
		}
		time.Sleep(10 * time.Second)
		ask(5, "?Token=wrong")
		if said := logged.String(); strings.Count(said, "\n") != 3 || !strings.Contains(said, "times=1000 ") {
			t.Errorf("ten seconds later it says\n%s", said)
		}
		if counts, _ := h.Refused(); counts[keyrack.RefusedSecret] != 1006 {
			t.Errorf("%v", counts)
		}
	})
}

// TestFailuresDoNotFillTheLog: a store whose failures never have the same words twice is
// logged in so many lines and no more.
func TestFailuresDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged := new(testkit.Buffer)
		s := &wordy{Store: memstore.New(nil)}
		r, err := keyrack.Open(t.Context(), s, &keyrack.Options{Logger: slog.New(slog.NewTextHandler(logged, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		h, err := r.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
		if err != nil {
			t.Fatal(err)
		}
		s.failing.Store(true)
		for range 1000 {
			if status := post(h, []byte(enabledBody)); status != http.StatusServiceUnavailable {
				t.Fatalf("answered %d", status)
			}
		}
		if n := strings.Count(logged.String(), "delivery not stored"); n < 2 || n > 70 {
			t.Errorf("%d lines, beginning with\n%.300s", n, logged.String())
		}
	})
}

// wordy is a store whose every failure to commit has other words.
type wordy struct {
	*memstore.Store
	failing atomic.Bool
	n       atomic.Int64
}

func (w *wordy) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if !w.failing.Load() {
		return w.Store.Commit(ctx, c)
	}
	return store.Committed{}, store.NewFailure(fmt.Sprint("failure ", w.n.Add(1)))
}
