package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// defaultAPI is where serve answers if it is told nothing else.
const defaultAPI = "http://127.0.0.1:8081"

// apiKeyVariable holds the key to the API: in the environment alone, since other
// users of the machine can read a process's flags.
const apiKeyVariable = client.KeyVariable

// clientHelp is in the help of every verb that asks a running receiver.
const clientHelp = `It asks a running receiver: --api, or KEYRACK_API, is the URL of its API, by
default the loopback listener of keyrack serve. Where the receiver wants a key,
KEYRACK_API_KEY has it.`

// receiver is the running receiver that --api names.
type receiver struct {
	url string
	*client.Client
}

func (r *receiver) flags(flags *pflag.FlagSet) {
	flags.StringVar(&r.url, "api", defaultAPI, "`URL` of a running receiver's API")
}

// open reads the key, and finds what cannot be meant so. Afterwards close is to be
// called.
func (r *receiver) open(env environment, warnings io.Writer) error {
	u, err := url.Parse(r.url)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "":
		return usage.Errorf("--api is a URL without a query, such as %s", defaultAPI)
	case u.User != nil:
		return usage.Errorf("--api has a secret in it, which other users of this machine can read; keys come from %s", apiKeyVariable)
	}
	key := env(apiKeyVariable)
	if strings.TrimSpace(key) != key || strings.ContainsAny(key, "\r\n") {
		return usage.Errorf("%s has white space in it, which is hardly meant; take it away", apiKeyVariable)
	}
	if key != "" && u.Scheme == "http" && !api.IsLoopback(u.Host) {
		fmt.Fprintln(warnings, "keyrack: warning: the key to the API goes over the network in clear; use https")
	}
	r.Client = client.New(u, lifecycle.NewToken(key), version())
	return nil
}

// office is where an act is done: a running receiver, or a store at rest. On the
// latter the same API answers, within this process.
type office struct {
	receiver
	store   string
	sealing storage.KeySource
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
	o.receiver.flags(flags)
	flags.StringVar(&o.store, "store", "", "work on a store at `rest` instead: sqlite:PATH or postgres://...")
	_ = flags.SetAnnotation("store", explicit, nil) // the flag is there
	sealingFlag(flags, &o.sealing.File)
	if o.probes {
		flags.StringVar(&o.asking.url, "connector-url", "", "with --store: Mews's platform `address`, such as "+connector.Production)
		flags.StringVar(&o.asking.clientName, "client-name", "", "with --store: your application's `name` and version")
	}
}

// open opens the one or the other. Afterwards close is to be called.
func (o *office) open(verb *cobra.Command, env environment) error {
	if o.store == "" {
		return o.receiver.open(env, verb.ErrOrStderr())
	}
	if verb.Flags().Changed("api") && env(variable("api")) == "" {
		return usage.Errorf("--api is a running receiver and --store is one at rest; take one of them away")
	}
	o.sealing.Inline = env(storage.KeyVariable)
	s := settings{sealing: o.sealing, horizon: lifecycle.DefaultHorizon, probeRate: defaultProbeRate}
	find := storage.AtRest
	if o.makes {
		find = storage.ParseKept
	}
	var err error
	if s.depot, err = find(o.store); err != nil {
		return err
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
	o.Client = client.InProcess(handler, lifecycle.NewToken(value), version())
	o.closeRack = closeRack
	return nil
}

// close closes it, and adds to an error what closing comes to.
func (o *office) close(err *error) {
	o.receiver.Close()
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

// restHelp is in the help of every verb that works on a store.
const restHelp = `It works on the store that --store or KEYRACK_STORE names, by default keyrack.db in
the working directory, whether a receiver runs on it or not.`

// rest is a store at rest, and its key.
type rest struct {
	store   string
	sealing storage.KeySource
}

// check reads what the flags leave to the environment.
func (r *rest) check(env environment) (storage.URL, error) {
	r.sealing.Inline = env(storage.KeyVariable)
	return storage.AtRest(r.store)
}

// defaultStore is a file in the working directory.
const defaultStore = "sqlite:keyrack.db"

// depotFlag adds --store to a verb.
func depotFlag(flags *pflag.FlagSet, value *string) {
	flags.StringVar(value, "store", defaultStore, "sqlite:`PATH`, postgres://... or memory")
}

// sealingFlag adds --sealing-key-file to a verb.
func sealingFlag(flags *pflag.FlagSet, file *string) {
	flags.StringVar(file, "sealing-key-file", "", "the `file` of the sealing key (default PATH.key, of sqlite:PATH)")
}
