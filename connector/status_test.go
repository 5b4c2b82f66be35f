package connector_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestRedirects offers every kind of redirect to another server, which must not
// see the token, and must not even be asked.
func TestRedirects(t *testing.T) {
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, accepted)
	}))
	defer other.Close()
	for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", other.URL+r.URL.Path)
			w.Header().Set("Refresh", "0; url="+other.URL)
			w.WriteHeader(status)
		}, nil)
		a, err := c.Probe(t.Context(), token, "")
		wantSilent(t, a, err, connector.OtherStatus)
		if a.Status != status {
			t.Errorf("status %d, want %d", a.Status, status)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the other server was asked %d times", n)
	}
}

// TestStatuses goes through every status that there can be.
func TestStatuses(t *testing.T) {
	var status int
	c := through(t, func(*http.Request) (*http.Response, error) { return respond(status, accepted), nil })
	for status = 100; status < 1000; status++ {
		token := lifecycle.NewToken(accessToken + strconv.Itoa(status))
		a, err := c.Probe(t.Context(), token, "")
		switch status {
		case 200:
			if err != nil || a.Kind != connector.Accepted {
				t.Errorf("%d: %v, %v", status, a.Kind, err)
			}
		case 401:
			want := connector.Answer{Kind: connector.Unauthorized, Status: 401, Began: a.Began}
			if diff := cmp.Diff(want, a); diff != "" || err != nil {
				t.Errorf("%d: %v\n%s", status, err, diff)
			}
		default:
			wantSilent(t, a, err, connector.OtherStatus)
		}
	}
}
