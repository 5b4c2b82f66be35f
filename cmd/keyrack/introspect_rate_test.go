package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/memstore"
)

// rivals are two listeners beside each other: the API's, and one with an empty handler.
type rivals struct {
	api, empty *httpserver.Server
	question   []byte
	close      func()
}

// newRivals opens the API of a rack with some integrations, as serve does.
func newRivals(t testing.TB) *rivals {
	t.Helper()
	ctx := context.Background()
	quiet := slog.New(slog.DiscardHandler)
	rack, err := keyrack.Open(ctx, memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := demo.Body("created.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rack.Deliver(ctx, body); err != nil {
		t.Fatal(err)
	}
	open := func(h http.Handler) *httpserver.Server {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return httpserver.Open(l, httpserver.MostConnections, h, quiet)
	}
	ready := new(atomic.Bool)
	ready.Store(true)
	handler := api.New(api.Options{Rack: rack, Metrics: metrics.New(version()), Log: quiet, Ready: ready})
	r := &rivals{
		api:      open(handler),
		empty:    open(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
		question: request(http.MethodPost, api.IntrospectPath, "application/x-www-form-urlencoded", "token="+sidecartest.SampleToken),
	}
	r.close = func() {
		ctx, cancel := context.WithTimeout(ctx, testkit.Patience)
		defer cancel()
		if err := errors.Join(r.api.Close(ctx), r.empty.Close(ctx), rack.Close()); err != nil {
			t.Error(err)
		}
	}
	return r
}

// rate asks on 32 connections for a time, and returns the questions a second.
func (r *rivals) rate(t testing.TB, addr string, d time.Duration) float64 {
	const connections = 32
	var asked atomic.Int64
	var done sync.WaitGroup
	began := time.Now()
	for range connections {
		done.Go(func() {
			c := newCaller(t, addr)
			defer c.conn.Close()
			for time.Since(began) < d {
				if status, err := c.do(r.question); err != nil || status != http.StatusOK {
					t.Errorf("%d, %v", status, err)
					return
				}
				asked.Add(1)
			}
		})
	}
	done.Wait()
	return float64(asked.Load()) / time.Since(began).Seconds()
}

// ratio compares the two, turn and turn about, and returns the median of the rounds.
func (r *rivals) ratio(t testing.TB, rounds int, d time.Duration) float64 {
	shares := make([]float64, rounds)
	for i := range shares {
		empty := r.rate(t, r.empty.Addr, d/2)
		api := r.rate(t, r.api.Addr, d)
		empty = (empty + r.rate(t, r.empty.Addr, d/2)) / 2
		shares[i] = api / empty
	}
	slices.Sort(shares)
	return shares[rounds/2]
}

// TestIntrospectRate: a question costs little more than an empty net/http handler.
func TestIntrospectRate(t *testing.T) {
	if os.Getenv("KEYRACK_LONG") == "" {
		t.Log("measured where KEYRACK_LONG is set, on a machine that is quiet")
		return
	}
	const want = 0.6
	r := newRivals(t)
	defer r.close()
	for attempt := 1; ; attempt++ {
		got := r.ratio(t, 5, 200*time.Millisecond)
		t.Logf("introspection reaches %.0f %% of an empty handler", 100*got)
		if got >= want {
			return
		}
		if attempt == 3 {
			t.Fatalf("introspection reaches %.0f %% of an empty handler, want %.0f %%", 100*got, 100*want)
		}
	}
}

// BenchmarkIntrospect asks on 32 connections, and gives the share of what an empty
// handler reaches in the same run.
func BenchmarkIntrospect(b *testing.B) {
	r := newRivals(b)
	defer r.close()
	var shares []float64
	for b.Loop() {
		shares = append(shares, r.ratio(b, 1, 500*time.Millisecond))
	}
	slices.Sort(shares)
	b.ReportMetric(shares[len(shares)/2], "of-empty")
}
