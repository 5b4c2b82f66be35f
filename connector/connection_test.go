package connector_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
)

func TestNoConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	_ = l.Close()
	unknown := httptest.NewUnstartedServer(http.NotFoundHandler())
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0)
	unknown.StartTLS()
	defer unknown.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer broken.Close()
	for _, c := range []struct {
		name, url string
		transport http.RoundTripper
		class     connector.Class
	}{
		{"refused", nobody, nil, connector.Unreachable},
		{"broken", broken.URL, nil, connector.Unreachable},
		{"a certificate of nobody's", unknown.URL, nil, connector.Untrusted},
		{"no such name", connector.Demo, roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: accessToken, IsNotFound: true}}
		}), connector.Unresolved},
		{"a slow name server", connector.Demo, roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true}
		}), connector.TimedOut},
		{"a transport that gives nothing", connector.Demo, roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, nil
		}), connector.Unreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := newClient(t, c.url, func(o *connector.Options) { o.Transport = c.transport })
			a, err := client.Probe(t.Context(), token, "")
			wantSilent(t, a, err, c.class)
			if a.Status != 0 || a.Began.IsZero() {
				t.Errorf("status %d, began %v", a.Status, a.Began)
			}
		})
	}
}

// TestStaleConnection: a server that closed a connection while nobody looked
// costs no answer.
func TestStaleConnection(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, accepted)
	}))
	defer s.Close()
	c := newClient(t, s.URL, nil)
	for range 5 {
		if _, err := c.Probe(t.Context(), token, ""); err != nil {
			t.Error(err)
		}
		s.CloseClientConnections()
		time.Sleep(5 * time.Millisecond) // the transport must notice, as it would
	}
}
