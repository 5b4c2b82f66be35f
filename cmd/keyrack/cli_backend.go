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
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// defaultAPIAddr is where serve answers by default, and defaultAPI its URL.
const (
	defaultAPIAddr = "127.0.0.1:8081"
	defaultAPI     = "http://" + defaultAPIAddr
)

// sidecarHelp is in the help of every verb that asks a running sidecar.
const sidecarHelp = `It asks a running sidecar. --api or KEYRACK_API is the URL of its API, by default
the loopback listener of keyrack serve. If the sidecar requires keys, set
KEYRACK_API_KEY.`

// sidecar is the running sidecar that --api names.
type sidecar struct {
	url string
	*client.Client
}

func (s *sidecar) flags(flags *pflag.FlagSet) {
	flags.StringVar(&s.url, "api", defaultAPI, "`URL` of a running sidecar's API")
}

// open checks --api and reads the key. The caller calls Close afterwards.
func (s *sidecar) open(env environment, warnings io.Writer) error {
	u, err := url.Parse(s.url)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "":
		return usage.Errorf("--api must be a URL without a query, such as %s", defaultAPI)
	case u.User != nil:
		return usage.Errorf("--api holds a secret, which other users of this machine can read; set the key with %s", client.KeyVariable)
	}
	key := env(client.KeyVariable)
	if strings.TrimSpace(key) != key || strings.ContainsAny(key, "\r\n") {
		return usage.Errorf("%s holds white space; remove it", client.KeyVariable)
	}
	if key != "" && u.Scheme == "http" && !httpserver.IsLoopback(u.Host) {
		fmt.Fprintln(warnings, "keyrack: warning: the API key crosses the network unencrypted; use https")
	}
	s.Client = client.New(u, lifecycle.NewToken(key), version())
	return nil
}

// backend is where a verb does its work: a running sidecar, or a store at rest. For a store
// at rest the same API answers within this process.
type backend struct {
	sidecar
	storeSettings
	connector connectorSettings
	probes    bool // the act may have Mews asked
	makes     bool // the store may be a new one

	closeRack func() error
}

// backendHelp is in the help of every verb with a backend.
const backendHelp = `It asks a running sidecar: --api or KEYRACK_API is the URL of its API, and
KEYRACK_API_KEY is a key with the scope admin, which keyrack apikey NAME admin creates.
Or it works on a store at rest, with --store. KEYRACK_STORE is ignored here, so that a
store is never opened by accident.`

// explicit marks flags that the environment does not set.
const explicit = "keyrack_explicit"

func (b *backend) flags(flags *pflag.FlagSet) {
	b.sidecar.flags(flags)
	flags.StringVar(&b.store, "store", "", "work on this `store` at rest instead: sqlite:PATH or postgres://...")
	_ = flags.SetAnnotation("store", explicit, nil) // the flag is there
	b.sealingFlag(flags)
	b.databaseFlags(flags)
	if b.probes {
		flags.StringVar(&b.connector.url, "connector-url", "", "with --store: Mews's `address`, such as "+connector.Production)
		flags.StringVar(&b.connector.clientName, "client-name", "", "with --store: `name` and version of your application")
	}
}

// open opens the sidecar or the store. The caller calls close afterwards.
func (b *backend) open(verb *cobra.Command, env environment) error {
	if b.store == "" {
		return b.sidecar.open(env, verb.ErrOrStderr())
	}
	if verb.Flags().Changed("api") && env(variable("api")) == "" {
		return usage.Errorf("--api is a running sidecar and --store is a store at rest; remove one of them")
	}
	find := storage.AtRest
	if b.makes {
		find = storage.ParseKept
	}
	var s settings // with the defaults of the library
	var err error
	if s.storeURL, err = b.find(verb, env, find); err != nil {
		return err
	}
	s.storeSettings = b.storeSettings
	if b.probes {
		b.connector.clientToken = lifecycle.NewToken(env(clientTokenVariable))
		if s.client, err = b.connector.client(); err != nil {
			return err
		}
	}
	return b.openStore(verb.Context(), s, verb.ErrOrStderr())
}

// openStore opens the store and an API on it, for this process alone.
func (b *backend) openStore(ctx context.Context, s settings, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	counts := metrics.New(version())
	s.options.Guest = true
	rack, closeRack, err := s.openRack(ctx, counts, nil, log)
	if err != nil {
		return err
	}
	value, key := api.NewKey("command-line", api.ScopeAdmin)
	var ready atomic.Bool
	ready.Store(true)
	handler := api.New(api.Options{
		Rack: rack, Keys: api.Keys{key}, AsksMews: s.client != nil, Metrics: counts, Log: log, Ready: &ready, Ending: make(chan struct{}),
	})
	b.Client = client.InProcess(handler, lifecycle.NewToken(value), version())
	b.closeRack = closeRack
	return nil
}

// close closes the backend, and adds the error of closing to err.
func (b *backend) close(err *error) {
	b.sidecar.Close()
	if b.closeRack == nil {
		return
	}
	if closing := b.closeRack(); closing != nil {
		if _, answered := (*err).(exitCode); answered {
			*err = nil
		}
		*err = errors.Join(*err, closing)
	}
}

// storeHelp is in the help of every verb that works on a store.
const storeHelp = `It works on the store that --store or KEYRACK_STORE names, keyrack.db in the working
directory by default, whether a sidecar runs on it or not.`

// defaultStore is a file in the working directory.
const defaultStore = "sqlite:keyrack.db"

// storeSettings are where a store is, where its key is, and how a database is opened.
type storeSettings struct {
	store    string
	sealing  storage.KeySource
	database storage.Options
}

// storeFlag adds --store to a verb.
func (s *storeSettings) storeFlag(flags *pflag.FlagSet) {
	flags.StringVar(&s.store, "store", defaultStore, "sqlite:`PATH`, postgres://... or memory")
}

// sealingFlag adds --sealing-key-file to a verb.
func (s *storeSettings) sealingFlag(flags *pflag.FlagSet) {
	flags.StringVar(&s.sealing.File, "sealing-key-file", "", "`file` of the sealing key (default: PATH.key for sqlite:PATH)")
}

// databaseFlags adds what PostgreSQL may have to be told.
func (s *storeSettings) databaseFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.database.Schema, "schema", "", "`schema` of PostgreSQL that holds everything (default keyrack)")
	flags.BoolVar(&s.database.Pooler, "pooler", false, "PostgreSQL is behind PgBouncer in transaction mode")
	flags.BoolVar(&s.database.SkipMigrations, "skip-migrations", false, "leave PostgreSQL's schema as it is: see keyrack migrate")
}

// flagsOf gives a verb that works on a store its own flags and then those of the store, in
// this order, and returns it. sealed says that it needs the key that seals tokens.
func (s *storeSettings) flagsOf(verb *cobra.Command, sealed bool, own ...func(*pflag.FlagSet)) *cobra.Command {
	flags := verb.Flags()
	flags.SortFlags = false
	for _, add := range own {
		add(flags)
	}
	s.storeFlag(flags)
	if sealed {
		s.sealingFlag(flags)
	}
	s.databaseFlags(flags)
	return verb
}

// find reads the settings that come from the environment alone, and --store.
func (s *storeSettings) find(verb *cobra.Command, env environment, parse func(string) (storage.URL, error)) (storage.URL, error) {
	s.sealing.Inline = env(storage.KeyVariable)
	u, err := parse(s.store)
	u.Options = s.database
	u.Warn = warner(verb)
	return u, err
}

// atRest is find for a store that must exist already.
func (s *storeSettings) atRest(verb *cobra.Command, env environment) (storage.URL, error) {
	return s.find(verb, env, storage.AtRest)
}

// withStore opens a store at rest, calls do with it and closes it. It needs no key.
func (s *storeSettings) withStore(verb *cobra.Command, env environment, do func(context.Context, store.Store) error) error {
	u, err := s.atRest(verb, env)
	if err != nil {
		return err
	}
	return u.With(verb.Context(), func(one store.Store) error { return do(verb.Context(), one) })
}

// warner returns a function that warns the person who runs a verb.
func warner(verb *cobra.Command) func(string) {
	stderr := verb.ErrOrStderr()
	return func(text string) {
		if text != "" {
			fmt.Fprintf(stderr, "keyrack: warning: %s\n", text)
		}
	}
}
