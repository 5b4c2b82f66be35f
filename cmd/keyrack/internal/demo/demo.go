// Package demo plays a hotel's life to a receiver of its own and shows what follows
// from each webhook.
//
// Run opens a Rack in memory behind a real HTTP listener on a free loopback port,
// sends it the webhooks of the steps as Mews would, and prints for each the status,
// the outcome and the verdict on a token. Each step says what must come of it; the
// first difference ends the demo with an error. It leaves nothing behind.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/memstore"
)

const (
	// horizon is short, so that a life fits into seconds, and long enough for two
	// deliveries in a row on a busy machine.
	horizon = 1500 * time.Millisecond
	// usual is the horizon of a Rack that is told nothing.
	usual = 30 * time.Minute
	// beyondHorizon is a wait after which everything older has arrived.
	beyondHorizon = horizon + 100*time.Millisecond
)

// Run plays the demo and prints it to out. It returns an error when a step comes out
// otherwise than it should, when out cannot be written to, or when ctx ends.
func Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return run(ctx, steps, out, log)
}

// run plays steps to a receiver of its own.
func run(ctx context.Context, steps []step, out io.Writer, log *slog.Logger) (err error) {
	seen := make(chan keyrack.ServedRequest, 1)
	rack, err := keyrack.Open(ctx, memstore.New(nil), &keyrack.Options{
		Horizon: horizon, Logger: log,
		Telemetry: &keyrack.Telemetry{Answered: func(_ context.Context, o keyrack.ServedRequest) { seen <- o }},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rack.Close()) }()
	r := &runner{
		rack: rack, out: out, secret: rand.Text(),
		client: &http.Client{Transport: new(http.Transport), Timeout: mewsTimeout},
		seen:   seen,
	}
	handler, err := rack.Handler([]keyrack.Secret{{Name: "demo", Value: keyrack.NewToken(r.secret)}}, nil)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the demo needs a free port on 127.0.0.1: %w", err)
	}
	receiver := httpserver.Open(listener, httpserver.MostConnections, handler, log)
	r.addr = receiver.Addr
	defer func() {
		r.client.CloseIdleConnections()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpserver.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, receiver.Close(bounded))
	}()
	return r.play(ctx, steps)
}
