package connector_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Made up, in the form of Mews's samples.
const (
	clientToken = "0C11E27000000000000000000000C0DE-C11E27000000000000000000000BEEF"
	accessToken = "ACCE55000000000000000000000070CE-ACCE550000000000000000000007EA1"
	enterprise  = "851df8c8-90f2-4c4a-8e01-a4fc46b25178"
)

const accepted = `{"Enterprise":{"Id":"` + enterprise + `","Name":"Hotel","IsPortfolio":false},"Service":null}`

var token = lifecycle.NewToken(accessToken)

var _ connector.Prober = (*connector.Client)(nil)

// newClient returns a client of a server; change may be nil.
func newClient(tb testing.TB, url string, change func(*connector.Options)) *connector.Client {
	tb.Helper()
	var o connector.Options
	if change != nil {
		change(&o)
	}
	c, err := connector.New(url, lifecycle.NewToken(clientToken), "Keyrack Test 1.0", &o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.CloseIdleConnections)
	return c
}

// serve starts a server, and returns a client of it.
func serve(tb testing.TB, h http.HandlerFunc, change func(*connector.Options)) *connector.Client {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return newClient(tb, s.URL, change)
}

// roundTripper is a transport without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through returns a client over a transport.
func through(tb testing.TB, rt roundTripper) *connector.Client {
	tb.Helper()
	return newClient(tb, connector.Demo, func(o *connector.Options) { o.Transport = rt })
}

// respond returns a response as a transport would.
func respond(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// wantSilent checks an answer that is none, and the error beside it.
func wantSilent(tb testing.TB, a connector.Answer, err error, class connector.Class) {
	tb.Helper()
	e, ok := errors.AsType[*connector.Error](err)
	if !ok || !errors.Is(err, connector.ErrSilent) {
		tb.Fatalf("error %v, want an *Error that is ErrSilent", err)
	}
	if e.Class != class || e.Status != a.Status {
		tb.Errorf("error %v with status %d, want class %v with status %d", err, e.Status, class, a.Status)
	}
	want := connector.Answer{Status: a.Status, Began: a.Began, RetryAfter: a.RetryAfter, RequestID: a.RequestID}
	if diff := cmp.Diff(want, a); diff != "" {
		tb.Errorf("a silent answer says something (-want +got):\n%s", diff)
	}
}

// TestUnsendable: what cannot be asked is not sent.
func TestUnsendable(t *testing.T) {
	c := through(t, func(*http.Request) (*http.Response, error) {
		t.Error("a request")
		return nil, nil
	})
	for _, token := range []lifecycle.Token{{}, lifecycle.NewToken("not \xff UTF-8")} {
		a, err := c.Probe(t.Context(), token, "")
		wantSilent(t, a, err, connector.Unsendable)
		if !a.Began.IsZero() {
			t.Error("began")
		}
	}
	a, err := c.Probe(t.Context(), token, "\xff")
	wantSilent(t, a, err, connector.Unsendable)
}

// TestOver: once the answer is there, the tokens can no longer be read from the
// request, neither from its body nor from a new one.
func TestOver(t *testing.T) {
	var early, late io.Reader
	c := through(t, func(r *http.Request) (*http.Response, error) {
		again, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		first, _ := io.ReadAll(r.Body)
		second, _ := io.ReadAll(again)
		if !bytes.Equal(first, second) || int64(len(first)) != r.ContentLength {
			t.Errorf("two bodies: %q and %q, of %d bytes", first, second, r.ContentLength)
		}
		early, _ = r.GetBody()
		_, _ = io.ReadFull(early, make([]byte, 10))
		late, _ = r.GetBody()
		return respond(200, accepted), nil
	})
	if _, err := c.Probe(t.Context(), token, ""); err != nil {
		t.Fatal(err)
	}
	for _, r := range []io.Reader{early, late} {
		if b, err := io.ReadAll(r); err == nil || len(b) > 0 {
			t.Errorf("read %d bytes, %v", len(b), err)
		}
	}
}

// TestConcurrent asks about many tokens at once; the race detector watches.
func TestConcurrent(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); !bytes.Contains(b, []byte(clientToken)) {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, accepted)
	}, nil)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			token := lifecycle.NewToken(accessToken + string(rune('A'+i%32)))
			a, err := c.Probe(t.Context(), token, "")
			if err != nil || a.Enterprise.ID != enterprise {
				t.Errorf("%v, %v", a, err)
			}
		})
	}
	wg.Wait()
}

// TestPortfolioIsAskedForOneEnterprise: the second question carries the enterprise, and
// what is not shown is not believed.
func TestPortfolioIsAskedForOneEnterprise(t *testing.T) {
	refused := false
	c := through(t, func(r *http.Request) (*http.Response, error) {
		b, _ := io.ReadAll(r.Body)
		if bytes.Contains(b, []byte(`"EnterpriseId":"`+enterprise+`"`)) {
			return respond(200, accepted), nil
		}
		if bytes.Contains(b, []byte("EnterpriseId")) {
			refused = true
			return respond(401, ""), nil
		}
		return respond(200, `{"Enterprise":{"Id":"portfolio","IsPortfolio":true}}`), nil
	})
	a, err := c.Probe(t.Context(), token, "")
	want := connector.Answer{
		Kind: connector.Accepted, Status: 200, Enterprise: lifecycle.Named{ID: "portfolio"}, Portfolio: true,
	}
	if diff := cmp.Diff(want, a, cmpopts.IgnoreFields(a, "Began")); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	a, err = c.Probe(t.Context(), token, enterprise)
	want.Enterprise, want.Portfolio = lifecycle.Named{ID: enterprise, Name: "Hotel"}, false
	if diff := cmp.Diff(want, a, cmpopts.IgnoreFields(a, "Began")); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	a, err = c.Probe(t.Context(), token, "another")
	want.Enterprise = lifecycle.Named{ID: "portfolio"}
	if diff := cmp.Diff(want, a, cmpopts.IgnoreFields(a, "Began")); diff != "" || err != nil || !refused {
		t.Errorf("not covered: %v\n%s", err, diff)
	}
}

// TestClientLimit: the client keeps to Mews's limit by itself, token by token,
// and tells when to come back: after the window and the time-out.
func TestClientLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		c := through(t, func(*http.Request) (*http.Response, error) {
			sent++
			return respond(200, accepted), nil
		})
		for range connector.Limit {
			if _, err := c.Probe(t.Context(), token, ""); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		a, err := c.Probe(t.Context(), token, "")
		wantSilent(t, a, err, connector.Limited)
		if !a.Began.IsZero() || sent != connector.Limit || a.RetryAfter != connector.Window+10*time.Second-time.Second {
			t.Errorf("began %v, %d sent, retry after %v", a.Began, sent, a.RetryAfter)
		}
		if _, err := c.Probe(t.Context(), lifecycle.NewToken("another"), ""); err != nil {
			t.Errorf("another token: %v", err)
		}
		time.Sleep(a.RetryAfter)
		if _, err := c.Probe(t.Context(), token, ""); err != nil {
			t.Errorf("after the time that it told: %v", err)
		}
	})
}

// TestClientObeys: where Mews asks to be left alone, the token is, and no other.
func TestClientObeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		c := through(t, func(*http.Request) (*http.Response, error) {
			if sent++; sent > 1 {
				return respond(200, accepted), nil
			}
			r := respond(429, "")
			r.Header.Set("Retry-After", "90")
			return r, nil
		})
		a, err := c.Probe(t.Context(), token, "")
		wantSilent(t, a, err, connector.OtherStatus)
		if a.RetryAfter != 90*time.Second {
			t.Errorf("retry after %v", a.RetryAfter)
		}
		time.Sleep(89 * time.Second)
		a, err = c.Probe(t.Context(), token, "")
		wantSilent(t, a, err, connector.Limited)
		if a.RetryAfter != time.Second || sent != 1 {
			t.Errorf("retry after %v, %d sent", a.RetryAfter, sent)
		}
		if _, err = c.Probe(t.Context(), lifecycle.NewToken("another"), ""); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if _, err = c.Probe(t.Context(), token, ""); err != nil {
			t.Error(err)
		}
	})
}
