package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// settings are what serve was told.
// defaultProbeRate is what a Rack does if it is told nothing.
const defaultProbeRate = 10

type settings struct {
	webhookAddr   string
	webhookPath   string
	withoutSecret bool
	secrets       []keyrack.Secret

	apiAddr     string
	apiKeysFile string
	apiKeys     api.Keys

	store   string
	depot   storage.URL
	sealing storage.KeySource

	asking    asking
	client    *connector.Client // nil: nobody asks Mews
	horizon   time.Duration
	lease     time.Duration
	probeRate float64

	supervisor supervisor
}

func newServe(env environment) *cobra.Command {
	var s settings
	serve := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Receive Mews's webhooks and answer whether tokens are valid",
		Long: `Serve receives Mews's webhooks on one listener, and answers questions on another.

The webhook listener answers one exact path, for Mews alone, which must be able
to reach it: put your TLS in front, and let it pass on path and query unchanged.
Have Mews call https://YOUR.HOST/webhooks/mews?Token=SECRET.

The API listener is for your own programs. Without keys it listens on a loopback
address, where it may be read, but hands out no tokens and takes no acts. With
keys, which keyrack apikey makes, it may listen elsewhere, and everything but
/livez needs one, as Authorization: Bearer KEY.

  POST /v1/introspect                   is the token in the form field "token" valid?
  GET  /v1/integrations                 all of them; filter by enterprise, state, status, reason
  GET  /v1/integrations/{id}            one; also {id}/explain, and {id}/history in pages
  POST /v1/integrations/{id}/token      its current token, with the verdict on it
  POST /v1/evidence                     a 200 or 401 that Mews answered you
  GET  /v1/changes                      what happens, as server-sent events
  POST /v1/integrations/{id}/import     take one in by hand; {id}/probe has Mews asked anew
  GET  /v1/subscriptions                where they stand; also /pause, /resume, /replay
  GET  /v1/openapi.json                 all of this, for programs
  GET  /livez  /readyz  /metrics        for whoever watches

Everything is kept in --store. Tokens are sealed before they get there: under
KEYRACK_SEALING_KEY, or the key in --sealing-key-file, or, with SQLite, one that is
made beside the file as PATH.key. Keep that elsewhere than the backups.

With --connector-url, --client-name and KEYRACK_CLIENT_TOKEN, Mews is asked about
every token whose webhooks leave something open, and at least once in a lease.

SIGINT and SIGTERM finish what has begun, for at most 10 s; a second one ends at
once. Under systemd, Type=notify and WatchdogSec= are served.

Environment:
  KEYRACK_WEBHOOK_SECRET            the secret in the URL that Mews calls; required
  KEYRACK_WEBHOOK_SECRET_PREVIOUS   the former one, accepted as well while you rotate
  KEYRACK_SEALING_KEY               base64 of 32 bytes; of several, separated by commas,
                                    the first seals and all of them open
  KEYRACK_CLIENT_TOKEN              your own ClientToken, to ask Mews with
  KEYRACK_API_KEYS                  lines of keys, or one of several separated by ";"

Every flag can be set by the environment, too: --webhook-addr by
KEYRACK_WEBHOOK_ADDR, and so on. The command line comes first.`,
		Example: `  export KEYRACK_WEBHOOK_SECRET=$(openssl rand -hex 32)
  keyrack serve

  # What Mews would send:
  curl -i "http://127.0.0.1:8080/webhooks/mews?Token=$KEYRACK_WEBHOOK_SECRET" -d @created.json

  # What your program asks:
  printf %s "$TOKEN" | curl -s --data-urlencode token@- http://127.0.0.1:8081/v1/introspect`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) (err error) {
			if err := s.check(env); err != nil {
				return err
			}
			return serve(verb.Context(), s, newLogger(verb.ErrOrStderr()))
		},
	}
	flags := serve.Flags()
	flags.SortFlags = false
	flags.StringVar(&s.webhookAddr, "webhook-addr", "127.0.0.1:8080", "`host:port` to receive webhooks at")
	flags.StringVar(&s.webhookPath, "webhook-path", keyrack.DefaultPath, "the one `path` to receive them at")
	flags.BoolVar(&s.withoutSecret, "without-secret", false, "accept anybody: something in front authenticates Mews")
	flags.StringVar(&s.apiAddr, "api-addr", "127.0.0.1:8081", "`host:port` to answer at")
	flags.StringVar(&s.apiKeysFile, "api-keys-file", "", "the `file` of the API's keys")
	depotFlag(flags, &s.store)
	sealingFlag(flags, &s.sealing.File)
	flags.StringVar(&s.asking.url, "connector-url", "", "Mews's platform `address`, such as "+connector.Production)
	flags.StringVar(&s.asking.clientName, "client-name", "", "your application's `name` and version, as Mews knows it")
	flags.DurationVar(&s.lease, "lease", 0, "how long valid lasts without news (default 24h if Mews is asked)")
	flags.Float64Var(&s.probeRate, "probe-rate", defaultProbeRate, "questions to Mews a second, at most")
	flags.DurationVar(&s.horizon, "horizon", lifecycle.DefaultHorizon, "how late webhooks may come, repetitions included")
	return serve
}

// check reads what the flags leave to the environment, and finds what cannot be
// meant so.
func (s *settings) check(env environment) (err error) {
	if s.horizon <= 0 {
		return usage.Errorf("--horizon is %v, but deliveries take time; leave it at %v unless you know better", s.horizon, lifecycle.DefaultHorizon)
	}
	if s.lease < 0 || s.probeRate <= 0 {
		return usage.Errorf("--lease and --probe-rate are above 0, or left out")
	}
	if u, err := url.Parse(s.webhookPath); err != nil || s.webhookPath == "" || s.webhookPath[0] != '/' || u.Path != s.webhookPath {
		return usage.Errorf("--webhook-path is a path, such as %s, and no more", keyrack.DefaultPath)
	}
	if s.secrets, err = secretsFrom(env, s.withoutSecret); err != nil {
		return err
	}
	if s.depot, err = storage.Parse(s.store); err != nil {
		return err
	}
	if s.apiKeys, err = apiKeysFrom(env, s.apiKeysFile); err != nil {
		return err
	}
	s.sealing.Inline = env(storage.KeyVariable)
	if s.supervisor, err = supervisorFrom(env); err != nil {
		return err
	}
	s.asking.clientToken = lifecycle.NewToken(env(clientTokenVariable))
	s.client, err = s.asking.client()
	return err
}

// apiAddrFor resolves the address of the API listener, once, so that what is looked
// at is what is listened on. Without keys it must be loopback.
func apiAddrFor(ctx context.Context, hostport string, keys api.Keys) (string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", usage.Errorf("--api-addr is not host:port; try 127.0.0.1:8081")
	}
	if len(keys) > 0 {
		return hostport, nil
	}
	var addrs []netip.Addr
	if host != "" { // which would be every address
		if addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return "", usage.Errorf("--api-addr: the host %q has no address; try 127.0.0.1:%s", host, port)
		}
	}
	if len(addrs) == 0 || !addrs[0].Unmap().IsLoopback() {
		return "", usage.Errorf(`--api-addr %s can be reached from other machines, and the API has no keys.
Listen on loopback, such as 127.0.0.1:%s, or make a key:
  keyrack apikey NAME SCOPES`, hostport, port)
	}
	return net.JoinHostPort(addrs[0].Unmap().String(), port), nil
}

// listen opens the socket that a flag names. The port 0 is any free one.
func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with --%s or %s", err, flag, variable(flag))
	}
	return l, nil
}

// serve serves until the context ends, and then finishes what has begun.
func serve(ctx context.Context, s settings, log *slog.Logger) (err error) {
	apiAddr, err := apiAddrFor(ctx, s.apiAddr, s.apiKeys)
	if err != nil {
		return err
	}
	// Sockets come first: a port that is taken should stop us before anything is
	// opened. Whoever connects early waits for the rack.
	webhookListener, err := listen(ctx, "webhook-addr", s.webhookAddr)
	if err != nil {
		return err
	}
	defer webhookListener.Close()
	apiListener, err := listen(ctx, "api-addr", apiAddr)
	if err != nil {
		return err
	}
	defer apiListener.Close()

	counts := metrics.New(version())
	rack, closeRack, err := s.openRack(ctx, counts, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeRack()) }()
	lines := newDeliveryLog(log)
	handler, err := rack.Handler(keyrack.HandlerOptions{
		Path: s.webhookPath, Secrets: s.secrets, WithoutSecret: s.withoutSecret,
		Observe: lines.observe,
	})
	if err != nil {
		return err
	}
	var ready atomic.Bool
	ready.Store(true)
	ending := make(chan struct{})
	webhooks := httpserver.Open(webhookListener, handler, log)
	answers := httpserver.Open(apiListener, api.New(api.Options{
		Rack: rack, Keys: s.apiKeys, AsksMews: s.client != nil, Metrics: counts, Log: log, Ready: &ready, Ending: ending,
	}), log)
	s.announce(webhooks, answers, log)
	attended, leave := context.WithCancel(ctx)
	var attending sync.WaitGroup
	attending.Go(func() { s.supervisor.attend(attended, rack.Following, log) })

	select {
	case <-ctx.Done():
		log.Info("shutting down; a second signal ends at once")
	case err = <-webhooks.Failed:
	case err = <-answers.Failed:
	}
	ready.Store(false)
	leave()
	attending.Wait()
	// The API tells for as long as deliveries are finished that we are going. Its
	// streams see those deliveries, too.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpserver.ShutdownTimeout)
	defer cancel()
	err = errors.Join(err, webhooks.Close(bounded))
	close(ending)
	return errors.Join(err, answers.Close(bounded))
}

// openRack opens the store and the rack on it. What it returns closes both.
func (s *settings) openRack(ctx context.Context, counts *metrics.Metrics, log *slog.Logger) (*keyrack.Rack, func() error, error) {
	ring, err := s.sealing.Load(s.depot, true)
	if err != nil {
		return nil, nil, err
	}
	if ring.Made {
		log.Warn("a sealing key was made; tokens are worth nothing without it, so keep a copy where the backups are not", "file", ring.Source)
	}
	store, err := s.depot.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	options := keyrack.Options{
		Horizon: s.horizon, Logger: log, Sealer: ring.Ring, ProbeRate: s.probeRate, Telemetry: counts.Telemetry(),
		Policy: keyrack.Policy{Lease: s.lease},
	}
	if s.client != nil {
		options.Prober = s.client
		counts.ExpectProbes()
	}
	rack, err := keyrack.Open(ctx, store, &options)
	if err != nil {
		return nil, nil, errors.Join(ring.Explain(err, storage.WrongKey), store.Close())
	}
	return rack, func() error {
		err := errors.Join(rack.Close(), store.Close())
		if s.client != nil {
			s.client.CloseIdleConnections()
		}
		return err
	}, nil
}

// announce says where we listen, and what is missing for use in earnest.
func (s *settings) announce(webhooks, answers *httpserver.Server, log *slog.Logger) {
	if s.withoutSecret {
		log.Warn("deliveries are accepted from anybody who reaches the webhook listener")
	}
	if s.depot.Kind == storage.Memory {
		log.Warn("everything is kept in memory and ends with this process")
	} else {
		log.Info("everything is kept", "store", s.depot.String())
	}
	if s.client != nil {
		log.Info("asking Mews", "rate", s.probeRate)
	}
	log.Info("receiving webhooks", "url", fmt.Sprintf("http://%s%s", webhooks.Addr, s.webhookPath), "horizon", s.horizon)
	log.Info("answering questions", "url", fmt.Sprintf("http://%s%s", answers.Addr, api.IntrospectPath), "keys", len(s.apiKeys))
}
