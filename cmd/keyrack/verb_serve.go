package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/front"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// settings are the settings of serve.
type settings struct {
	webhookAddr   string
	webhookPath   string
	withoutSecret bool
	secrets       []keyrack.Secret

	apiAddr     string
	apiKeysFile string
	apiKeys     api.Keys

	storeSettings
	storeURL storage.URL

	connector connectorSettings
	client    *connector.Client // nil: nobody asks Mews
	rackSettings

	healthAddr string // empty: no listener for health checks
	log        logSettings
	supervisor supervisor
	shown      []configured // on the operator's page
}

func newServe(env environment, config *layers) *cobra.Command {
	var s settings
	serve := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Receive Mews's webhooks and answer whether tokens are valid",
		Long: `Serve receives Mews's webhooks on one listener and answers questions on another.

The webhook listener answers on one exact path and is for Mews alone. Mews must be
able to reach it: put a TLS proxy in front that passes path and query on unchanged,
and give Mews the URL https://YOUR.HOST/webhooks/mews?Token=SECRET.

The API listener is for your own programs. Without API keys it listens on loopback
only, and is read-only: it issues no tokens and changes nothing. With keys, which
keyrack apikey creates, it may listen elsewhere, and every path requires one, as
Authorization: Bearer KEY, except /livez and /readyz. A load balancer's check finds
/livez on the webhook listener too; --health-addr is a listener for checks alone.
At the operator's page you sign in with a key that has the scope read; with admin, you
may act on what it shows.

  POST /v1/introspect                   is the token in the form field "token" valid?
  GET  /v1/integrations                 all; filter by enterprise, state, status, reason
  GET  /v1/integrations/{id}            one; also {id}/explain, and {id}/history in pages
  POST /v1/integrations/{id}/token      its current token, with the verdict on it
  POST /v1/report                       report a 200 or 401 that your program got from Mews
  GET  /v1/changes                      the stream of changes, as server-sent events
  POST /v1/integrations/{id}/import     import one by hand; {id}/probe asks Mews about one
  GET  /v1/subscriptions                list them; also /pause, /resume, /rewind
  GET  /v1/openapi.json                 the description of this API
  GET  /livez  /readyz  /metrics        for monitoring
  GET  /console/                        the operator's page, for a browser

Everything is kept in --store. Tokens are sealed first: with KEYRACK_SEALING_KEY, with
the key in --sealing-key-file or, for SQLite, with a key that is created beside the
file as PATH.key. Keep the key apart from the backups.

With --connector-url, --client-name and KEYRACK_CLIENT_TOKEN, Keyrack asks Mews about
every token whose webhooks leave something open, and at least once within --max-age.

On SIGINT and SIGTERM, running requests have 10 s to finish; a second signal ends the
process at once. Type=notify and WatchdogSec= of systemd are supported.

Environment:
  KEYRACK_WEBHOOK_SECRET            the secret in the URL that Mews calls; required
  KEYRACK_WEBHOOK_SECRET_PREVIOUS   the former secret, also accepted while you rotate
  KEYRACK_SEALING_KEY               base64 of 32 bytes, or several separated by commas:
                                    the first seals, and any of them opens
  KEYRACK_CLIENT_TOKEN              your application's ClientToken, to ask Mews with
  KEYRACK_API_KEYS                  lines of API keys, separated by line ends or ";"

The environment can set every flag: --webhook-addr is KEYRACK_WEBHOOK_ADDR, and so on.
The command line comes first.`,
		Example: `  export KEYRACK_WEBHOOK_SECRET=$(openssl rand -hex 32)
  keyrack serve

  # Send a webhook as Mews would:
  curl -i "http://127.0.0.1:8080/webhooks/mews?Token=$KEYRACK_WEBHOOK_SECRET" -d @created.json

  # Ask as your program would:
  printf %s "$TOKEN" | curl -s --data-urlencode token@- http://127.0.0.1:8081/v1/introspect`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) (err error) {
			if err := s.check(verb, env); err != nil {
				return err
			}
			s.shown = config.list(verb.Flags())
			if !verb.Flags().Changed("horizon") {
				s.options.Horizon = 0 // the store's counts, if it has one
			}
			log, err := s.log.open(verb.ErrOrStderr())
			if err != nil {
				return err
			}
			return serve(verb.Context(), s, log)
		},
	}
	flags := serve.Flags()
	flags.SortFlags = false
	flags.StringVar(&s.webhookAddr, "webhook-addr", "127.0.0.1:8080", "`host:port` to receive webhooks at")
	flags.StringVar(&s.webhookPath, "webhook-path", keyrack.DefaultPath, "exact `path` to receive webhooks at")
	flags.BoolVar(&s.withoutSecret, "without-secret", false, "accept webhooks without a secret, behind a proxy that checks them")
	flags.StringVar(&s.apiAddr, "api-addr", defaultAPIAddr, "`host:port` to answer questions at")
	flags.StringVar(&s.apiKeysFile, "api-keys-file", "", "`file` of API keys")
	flags.StringVar(&s.healthAddr, "health-addr", "", "`host:port` to answer /livez and /readyz at, and nothing else")
	s.storeFlag(flags)
	s.sealingFlag(flags)
	s.databaseFlags(flags)
	flags.StringVar(&s.connector.url, "connector-url", "", "`address` of Mews's platform, such as "+connector.Production)
	flags.StringVar(&s.connector.clientName, "client-name", "", "`name` and version of your application, as Mews knows it")
	s.policyFlags(flags)
	s.workFlags(flags)
	s.retentionFlags(flags)
	flags.BoolVar(&s.options.SetDefaults, "set-defaults", false, "what policy and retention leave out is the default, not the store's")
	s.log.flags(flags)
	return serve
}

// check reads the settings that come from the environment alone, and checks all of them.
func (s *settings) check(verb *cobra.Command, env environment) (err error) {
	if err := s.checkRanges(); err != nil {
		return err
	}
	if err := s.rackSettings.check(); err != nil {
		return err
	}
	if u, err := url.Parse(s.webhookPath); err != nil || s.webhookPath == "" || s.webhookPath[0] != '/' || u.Path != s.webhookPath ||
		u.EscapedPath() != s.webhookPath || strings.TrimSuffix(path.Clean(s.webhookPath), "/") != strings.TrimSuffix(s.webhookPath, "/") {
		return usage.Errorf("--webhook-path must be only a path, such as %s, without an empty part, . or .., and without characters that a URL escapes", keyrack.DefaultPath)
	}
	if s.webhookPath == front.LivePath {
		return usage.Errorf("--webhook-path %s is where a load balancer's check is answered; take another, such as %s", front.LivePath, keyrack.DefaultPath)
	}
	if s.healthAddr != "" {
		if _, _, err := net.SplitHostPort(s.healthAddr); err != nil {
			return usage.Errorf("--health-addr must be host:port; try :8082")
		}
	}
	if s.secrets, err = secretsFrom(env, s.withoutSecret); err != nil {
		return err
	}
	if s.storeURL, err = s.find(verb, env, storage.Parse); err != nil {
		return err
	}
	if s.apiKeys, err = apiKeysFrom(env, s.apiKeysFile); err != nil {
		return err
	}
	if s.supervisor, err = supervisorFrom(env); err != nil {
		return err
	}
	s.connector.clientToken = lifecycle.NewToken(env(clientTokenVariable))
	if s.client, err = s.connector.client(); err != nil {
		return err
	}
	if s.client == nil && verb.Flags().Changed("probe-rate") {
		return usage.Errorf("--probe-rate (KEYRACK_PROBE_RATE) is set, and Mews is not asked; set --connector-url, --client-name and KEYRACK_CLIENT_TOKEN, or leave it out")
	}
	return nil
}

// serve serves until ctx ends and then finishes running requests.
func serve(ctx context.Context, s settings, log *slog.Logger) (err error) {
	defer ignoreHangup(log)() // first: whatever says that the process is up may be answered with SIGHUP
	apiAddr, err := apiAddrFor(ctx, s.apiAddr, s.apiKeys)
	if err != nil {
		return err
	}
	// Listen first, so that a port in use is an error before anything else is opened.
	// A client that connects early waits for the rack.
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

	var healthListener net.Listener
	if s.healthAddr != "" {
		if healthListener, err = listen(ctx, "health-addr", s.healthAddr); err != nil {
			return err
		}
		defer healthListener.Close()
	}

	counts := metrics.New(version())
	counts.ExpectSecrets(s.secrets)
	deliveries := newDeliveryLog(log)
	rack, closeRack, err := s.openRack(ctx, counts, deliveries.observe, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeRack()) }()
	handler, err := rack.Handler(s.secrets, &keyrack.HandlerOptions{Path: s.webhookPath, WithoutSecret: s.withoutSecret})
	if err != nil {
		return err
	}
	page := s.newConsole(rack, handler)
	defer page.Close()
	var ready atomic.Bool
	ready.Store(true)
	ending := make(chan struct{})
	shares := httpserver.ShareOut(httpserver.OpenFiles())
	entrance := &front.Handler{Next: handler, Path: s.webhookPath, WithoutSecret: s.withoutSecret, Refused: func(r keyrack.ServedRequest) {
		counts.Telemetry().Answered(ctx, r)
		deliveries.refused(r)
	}}
	webhooks := httpserver.Open(webhookListener, shares.Webhooks, entrance, log)
	server := api.New(api.Options{
		Rack: rack, Keys: s.apiKeys, AsksMews: s.client != nil, Metrics: counts, Log: log, Ready: &ready, Streams: shares.API / 2, Ending: ending,
		Console: page,
	})
	answers := httpserver.Open(apiListener, shares.API, server, log)
	var health *httpserver.Server // nil without a listener
	var healthFailed <-chan error
	if healthListener != nil {
		health = httpserver.Open(healthListener, shares.Health, server.Health(), log)
		healthFailed = health.Failed
	}
	s.announce(webhooks, answers, health, log)
	attended, leave := context.WithCancel(ctx)
	var attending sync.WaitGroup
	attending.Go(func() { s.supervisor.attend(attended, rack.SyncStatus, log) })

	select {
	case <-ctx.Done():
		log.Info("shutting down; a second signal ends the process at once")
	case err = <-webhooks.Failed:
	case err = <-answers.Failed:
	case err = <-healthFailed:
	}
	ready.Store(false)
	leave()
	attending.Wait()
	// The API says that the process is ending while deliveries finish, and its streams
	// still report those deliveries.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpserver.ShutdownTimeout)
	defer cancel()
	err = errors.Join(err, webhooks.Close(bounded))
	close(ending)
	err = errors.Join(err, answers.Close(bounded))
	if health != nil {
		err = errors.Join(err, health.Close(bounded))
	}
	return err
}

// openRack opens the store and a Rack on it. Every answered request is counted and, if
// observe is not nil, observed. The function that openRack returns closes both.
func (s *settings) openRack(ctx context.Context, counts *metrics.Metrics, observe func(keyrack.ServedRequest), log *slog.Logger) (*keyrack.Rack, func() error, error) {
	s.storeURL.Warn = func(text string) { log.Warn("a secret file is open to others", "file", text) }
	s.storeURL.OnPooler = func() {
		log.Warn("PostgreSQL is behind a pooler in transaction mode, so instances hear of each other by polling; say so at once with --pooler")
	}
	ring, err := s.sealing.Load(s.storeURL, true)
	if err != nil {
		return nil, nil, err
	}
	if ring.Made {
		log.Warn("created a sealing key; tokens cannot be opened without it, so keep a copy apart from the backups", "file", ring.Source)
	}
	store, err := s.storeURL.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	telemetry := counts.Telemetry()
	if count := telemetry.Answered; observe != nil {
		telemetry.Answered = func(ctx context.Context, r keyrack.ServedRequest) {
			count(ctx, r)
			observe(r)
		}
	}
	options := s.options
	options.Logger, options.Sealer, options.Telemetry = log, ring.Ring, telemetry
	if s.client != nil {
		options.Prober = s.client
		counts.ExpectProbes()
	} else {
		options.ProbeRate = 0 // the flag's default
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
