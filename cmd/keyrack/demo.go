package main

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

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/memstore"
)

const (
	// demoHorizon is short, so that a life fits into seconds, and long enough for
	// two deliveries in a row on a busy machine.
	demoHorizon = 1500 * time.Millisecond
	// demoPause is beyond it.
	demoPause = demoHorizon + 100*time.Millisecond
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Play a hotel's life and show what follows from each webhook",
		Long: `Demo starts a receiver on a free loopback port and plays a hotel's life to it in
real HTTP deliveries. The first one is that of Mews's own documentation; one
comes twice, one early, and two late.

For each it prints the status that was answered, what Keyrack made of it, and
whether the token is valid now. All of that is what really happened, and is
compared with what should have: a difference ends the demo with exit code 1. It
takes some seconds and leaves nothing behind.`,
		Example: `  keyrack demo`,
		Args:    noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			return demo(verb.Context(), story, verb.OutOrStdout(), newLogger(verb.ErrOrStderr()))
		},
	}
}

// demo plays a story to a receiver of its own, and fails where something else
// comes of it than the story says.
func demo(ctx context.Context, story []step, out io.Writer, log *slog.Logger) (err error) {
	rack, err := keyrack.Open(ctx, memstore.New(nil), &keyrack.Options{Horizon: demoHorizon, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rack.Close()) }()
	p := &player{
		rack: rack, out: out, secret: rand.Text(),
		client: &http.Client{Transport: new(http.Transport), Timeout: mewsTimeout},
		seen:   make(chan keyrack.Observation, 1),
	}
	handler, err := rack.Handler(keyrack.HandlerOptions{
		Secrets: []keyrack.Secret{{Name: "demo", Value: keyrack.NewToken(p.secret)}},
		Observe: func(o keyrack.Observation) { p.seen <- o },
	})
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the demo needs a free port on 127.0.0.1: %w", err)
	}
	receiver := openSite(listener, handler, log)
	p.addr = receiver.addr
	defer func() {
		p.client.CloseIdleConnections()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		err = errors.Join(err, receiver.close(bounded))
	}()
	return p.play(ctx, story)
}
