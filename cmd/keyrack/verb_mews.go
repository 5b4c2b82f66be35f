package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/mews"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// defaultMewsStart is where the clock of mews begins.
const defaultMewsStart = "2026-01-01T00:00:00Z"

// fakeMews is a Mews of one's own, and where it listens.
type fakeMews struct {
	addr    string
	start   string
	options mews.Options
	target  target
}

func newMews(env environment) *cobra.Command {
	var f fakeMews
	verb := &cobra.Command{
		Use:   "mews [flags]",
		Short: "Run a fake Mews for tests, in any language",
		Long: `Mews listens on loopback and does what Mews does for an application: it answers the
Connector API under /api/connector/v1/ (configuration/get, and a page for every getAll),
and sends the webhooks to --to.

Hotels live by a control API under /control/: create, enable, disable, cancel, reinstate
and delete an integration, rotate its token; lose, duplicate, delay or reorder the next
webhook; refuse the ClientToken, be slow, answer an error; move the clock.
docs/guides/mews.md lists the calls.

Mews has a clock of its own. Every change moves it by a second, and the answer tells what
was sent in that second and how the receiver answered. The same --seed and the same calls
give the same bytes.

KEYRACK_CLIENT_TOKEN is the ClientToken of your application. Without it one is made up
that no application knows, so the Connector API refuses all requests.

` + targetHelp,
		Example: `  keyrack mews &
  curl -s -X POST -H 'Content-Type: application/json' \
      -d '{"hotel":"Alpenrose"}' http://127.0.0.1:8082/control/integrations
  curl -s -X POST http://127.0.0.1:8082/control/integrations/ID/disable`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			stderr := verb.ErrOrStderr()
			f.options.ClientToken = lifecycle.NewToken(env(clientTokenVariable))
			if err := f.check(env, stderr); err != nil {
				return err
			}
			return f.run(verb.Context(), verb.OutOrStdout(), newLogger(stderr))
		},
	}
	flags := verb.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8082", "listen on this loopback `addr`")
	f.target.flags(flags)
	flags.Uint64Var(&f.options.Seed, "seed", 1, "seed of identifiers, tokens and delays")
	flags.StringVar(&f.start, "start", defaultMewsStart, "`time` at which the clock begins, as RFC 3339")
	flags.DurationVar(&f.options.Lag, "lag", 0, "the longest time from a change to its webhook; 0 sends it with the change")
	return verb
}

// check checks the flags and the secrets.
func (f *fakeMews) check(env environment, warnings io.Writer) error {
	var err error
	switch f.options.Start, err = time.Parse(time.RFC3339, f.start); {
	case err != nil || f.options.Start.IsZero():
		return usage.Errorf("--start must be a time, such as %s", defaultMewsStart)
	case !httpserver.IsLoopback(f.addr):
		return usage.Errorf("--addr must be a loopback address, such as 127.0.0.1:8082, because a fake listens there")
	case f.options.Lag < 0 || f.options.Lag > mostLag:
		return usage.Errorf("--lag must be from 0 to %v", mostLag)
	}
	return f.target.check(env, warnings)
}

// run serves until the context ends.
func (f *fakeMews) run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	l, err := listen(ctx, "addr", f.addr)
	if err != nil {
		return err
	}
	carrier := client.NewTransport()
	defer carrier.CloseIdleConnections()
	f.options.URL, f.options.Secret, f.options.Transport = f.target.url, f.target.secret, carrier
	server := httpserver.Open(l, httpserver.MostConnections, mews.New(f.options), log)
	fmt.Fprintf(stdout, "Mews listens on http://%s and sends webhooks to %s\n", server.Addr, f.target.url)
	select {
	case <-ctx.Done():
	case err = <-server.Failed:
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpserver.ShutdownTimeout)
	defer cancel()
	return errors.Join(err, server.Close(bounded))
}
