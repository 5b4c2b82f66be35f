package connector_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
)

func TestBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var arrived time.Time
		c := through(t, func(*http.Request) (*http.Response, error) {
			arrived = time.Now()
			time.Sleep(3 * time.Second)
			return respond(200, accepted), nil
		})
		a, err := c.Probe(t.Context(), token, "")
		if err != nil || !a.Began.Equal(arrived) {
			t.Errorf("began %v, %v; want %v", a.Began, err, arrived)
		}
	})
}

// TestTimeout has the server stall at each stage of an exchange.
func TestTimeout(t *testing.T) {
	soon := func(o *connector.Options) { o.Timeout = 50 * time.Millisecond }
	stall := func(before func(http.ResponseWriter)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			before(w)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}
	t.Run("before the response", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // so that the server sees the client leave
			<-r.Context().Done()
		}, soon)
		a, err := c.Probe(t.Context(), token, "")
		wantSilent(t, a, err, connector.TimedOut)
		if a.Status != 0 || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("status %d, %v: the caller's own deadline has not passed", a.Status, err)
		}
	})
	t.Run("within the body", func(t *testing.T) {
		c := serve(t, stall(func(w http.ResponseWriter) { _, _ = io.WriteString(w, accepted[:20]) }), soon)
		a, err := c.Probe(t.Context(), token, "")
		wantSilent(t, a, err, connector.TimedOut)
		if a.Status != 200 {
			t.Errorf("status %d", a.Status)
		}
	})
	t.Run("at the end of the body", func(t *testing.T) {
		c := serve(t, stall(func(w http.ResponseWriter) { _, _ = io.WriteString(w, accepted) }), soon)
		a, err := c.Probe(t.Context(), token, "")
		wantSilent(t, a, err, connector.TimedOut)
	})
	t.Run("within the body of a 401, which nobody reads", func(t *testing.T) {
		c := serve(t, stall(func(w http.ResponseWriter) { w.WriteHeader(401) }), soon)
		if a, err := c.Probe(t.Context(), token, ""); err != nil || a.Kind != connector.Unauthorized {
			t.Errorf("%v, %v", a.Kind, err)
		}
	})
	t.Run("the default", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := through(t, func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, errors.New("some other error")
			})
			start := time.Now()
			a, err := c.Probe(t.Context(), token, "")
			wantSilent(t, a, err, connector.TimedOut)
			if d := time.Since(start); d != 10*time.Second {
				t.Errorf("after %v", d)
			}
		})
	})
}

func TestContext(t *testing.T) {
	t.Run("ended before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := through(t, func(*http.Request) (*http.Response, error) {
			t.Error("a request")
			return respond(200, accepted), nil
		})
		a, err := c.Probe(ctx, token, "")
		wantSilent(t, a, err, connector.Ended)
		if !errors.Is(err, context.Canceled) || !a.Began.IsZero() {
			t.Errorf("%v, began %v", err, a.Began)
		}
	})
	t.Run("canceled meanwhile", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		}, nil)
		a, err := c.Probe(ctx, token, "")
		wantSilent(t, a, err, connector.Ended)
		if !errors.Is(err, context.Canceled) || a.Began.IsZero() {
			t.Errorf("%v, began %v", err, a.Began)
		}
	})
	t.Run("the caller's deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c := through(t, func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
			a, err := c.Probe(ctx, token, "")
			wantSilent(t, a, err, connector.Ended)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	})
}
