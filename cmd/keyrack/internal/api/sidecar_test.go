package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/memstore"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// sidecar is an API with a rack in memory behind it, and the listener for webhooks
// that feeds the rack.
type sidecar struct {
	webhooks, api string // the addresses
	rack          *keyrack.Rack
	log           testkit.Buffer
	end           func() // as serve ends: streams first
}

// serveAPI starts a sidecar with these keys. The end of the test ends it.
func serveAPI(t testing.TB, keys string) *sidecar {
	t.Helper()
	p := &sidecar{}
	log := slog.New(slog.NewTextHandler(&p.log, nil))
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := rack.Handler([]keyrack.Secret{{Name: "test", Value: keyrack.NewToken(sidecartest.Secret)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseKeys(keys, "the test", nil)
	if err != nil {
		t.Fatal(err)
	}
	ready, ending := new(atomic.Bool), make(chan struct{})
	ready.Store(true)
	open := func(h http.Handler) *httpserver.Server {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return httpserver.Open(l, httpserver.MostConnections, h, log)
	}
	webhooks := open(handler)
	answers := open(New(Options{
		Rack: rack, Keys: parsed, Metrics: metrics.New("0.0.0"), Log: log, Ready: ready, Ending: ending,
	}))
	p.webhooks, p.api, p.rack = webhooks.Addr, answers.Addr, rack
	p.end = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		ready.Store(false)
		err := webhooks.Close(ctx)
		close(ending)
		if err := errors.Join(err, answers.Close(ctx), rack.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.end)
	return p
}

// deliver delivers a webhook of package demo.
func (p *sidecar) deliver(t testing.TB, file string) {
	t.Helper()
	body, err := demo.Body(file)
	if err != nil {
		t.Fatal(err)
	}
	sidecartest.Deliver(t, p.webhooks, body)
}
