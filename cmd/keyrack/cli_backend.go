package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// office is where an act is done: a running receiver, or a store at rest. On the
// latter the same API answers, within this process.
type office struct {
	client
	store   string
	sealing sealing
	asking  asking
	probes  bool // the act may have Mews asked
	makes   bool // the store may be a new one

	closeRack func() error
}

// officeHelp is in the help of every verb that acts.
const officeHelp = `It asks a running receiver: --api, or KEYRACK_API, is the URL of its API, and
KEYRACK_API_KEY has the key, which acts need: keyrack apikey NAME admin makes one.
Or it works on a store at rest, which --store names; KEYRACK_STORE is not heeded
here, so that a store is never opened by accident.`

// explicit marks flags that the environment does not set.
const explicit = "keyrack_explicit"

func (o *office) flags(flags *pflag.FlagSet) {
	o.client.flags(flags)
	flags.StringVar(&o.store, "store", "", "work on a store at `rest` instead: sqlite:PATH or postgres://...")
	_ = flags.SetAnnotation("store", explicit, nil) // the flag is there
	sealingFlag(flags, &o.sealing.file)
	if o.probes {
		flags.StringVar(&o.asking.url, "connector-url", "", "with --store: Mews's platform `address`, such as "+connector.Production)
		flags.StringVar(&o.asking.clientName, "client-name", "", "with --store: your application's `name` and version")
	}
}

// open opens the one or the other. Afterwards close is to be called.
func (o *office) open(verb *cobra.Command, env environment) error {
	if o.store == "" {
		return o.client.open(env, verb.ErrOrStderr())
	}
	if verb.Flags().Changed("api") && env(variable("api")) == "" {
		return usage.Errorf("--api is a running receiver and --store is one at rest; take one of them away")
	}
	o.sealing.inline = env(sealingVariable)
	s := settings{sealing: o.sealing, horizon: lifecycle.DefaultHorizon, probeRate: keyrack.DefaultProbeRate}
	find := atRest
	if o.makes {
		find = parseDepot
	}
	var err error
	if s.depot, err = find(o.store); err != nil {
		return err
	}
	if s.depot.kind == inMemory {
		return usage.Errorf("what is in memory ends with this command; name another store with --store")
	}
	if o.probes {
		o.asking.clientToken = lifecycle.NewToken(env(clientTokenVariable))
		if s.client, err = o.asking.client(); err != nil {
			return err
		}
	}
	return o.openStore(verb.Context(), s, verb.ErrOrStderr())
}

// openStore opens the store and, for nobody but us, an API on it.
func (o *office) openStore(ctx context.Context, s settings, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	counts := metrics.New(version())
	rack, closeRack, err := s.openRack(ctx, counts, log)
	if err != nil {
		return err
	}
	value, key := api.NewKey("desk", api.ScopeAdmin)
	var ready atomic.Bool
	ready.Store(true)
	handler := api.New(api.Options{
		Rack: rack, Keys: api.Keys{key}, AsksMews: s.client != nil, Metrics: counts, Log: log, Ready: &ready, Ending: make(chan struct{}),
	})
	o.client.direct(mewstest.Transport(handler), lifecycle.NewToken(value))
	o.closeRack = closeRack
	return nil
}

// close closes it, and adds to an error what closing comes to.
func (o *office) close(err *error) {
	o.client.close()
	if o.closeRack == nil {
		return
	}
	if closing := o.closeRack(); closing != nil {
		if _, answered := (*err).(exitCode); answered {
			*err = nil
		}
		*err = errors.Join(*err, closing)
	}
}
