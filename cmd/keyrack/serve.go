package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// shutdownTimeout bounds how long a shutdown waits for what has begun.
const shutdownTimeout = 10 * time.Second

// settings are what serve was told.
type settings struct {
	webhookAddr   string
	webhookPath   string
	apiAddr       string
	store         string
	horizon       time.Duration
	withoutSecret bool
	secrets       []keyrack.Secret
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

The API listener is for your own programs on this machine: it listens on a
loopback address only, needs no key, and never hands out a token.

  POST /v1/introspect   is the token in the form field "token" valid? (RFC 7662)
  GET  /livez           200 while the process serves
  GET  /readyz          200 while it takes in deliveries, 503 once it shuts down

SIGINT and SIGTERM finish what has begun, for at most 10 s; a second one ends at
once.

Environment:
  KEYRACK_WEBHOOK_SECRET            the secret in the URL that Mews calls; required
  KEYRACK_WEBHOOK_SECRET_PREVIOUS   the former one, accepted as well while you rotate

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
			if err := s.check(); err != nil {
				return err
			}
			if s.secrets, err = secretsFrom(env, s.withoutSecret); err != nil {
				return err
			}
			return serve(verb.Context(), s, newLogger(verb.ErrOrStderr()))
		},
	}
	flags := serve.Flags()
	flags.SortFlags = false
	flags.StringVar(&s.webhookAddr, "webhook-addr", "127.0.0.1:8080", "`host:port` to receive webhooks at")
	flags.StringVar(&s.webhookPath, "webhook-path", keyrack.DefaultPath, "the one `path` to receive them at")
	flags.StringVar(&s.apiAddr, "api-addr", "127.0.0.1:8081", "`host:port` to answer at, on loopback")
	flags.StringVar(&s.store, "store", "memory", "where all is kept; memory ends with the process")
	flags.DurationVar(&s.horizon, "horizon", lifecycle.DefaultHorizon, "how late webhooks may come, repetitions included")
	flags.BoolVar(&s.withoutSecret, "without-secret", false, "accept anybody: something in front authenticates Mews")
	return serve
}

// check finds what cannot be meant so.
func (s *settings) check() error {
	if s.store != "memory" {
		return usagef("there is no store %q for --store; there is: memory", s.store)
	}
	if s.horizon <= 0 {
		return usagef("--horizon is %v, but deliveries take time; leave it at %v unless you know better", s.horizon, lifecycle.DefaultHorizon)
	}
	if u, err := url.Parse(s.webhookPath); err != nil || s.webhookPath == "" || s.webhookPath[0] != '/' || u.Path != s.webhookPath {
		return usagef("--webhook-path is a path, such as %s, and no more", keyrack.DefaultPath)
	}
	return nil
}

func (s *settings) openStore() store.Store { return memstore.New(nil) }

// serve serves until the context ends, and then finishes what has begun.
func serve(ctx context.Context, s settings, log *slog.Logger) (err error) {
	apiAddr, err := loopbackAddr(ctx, s.apiAddr)
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

	rack, err := keyrack.Open(ctx, s.openStore(), &keyrack.Options{Horizon: s.horizon, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rack.Close()) }()
	handler, err := rack.Handler(keyrack.HandlerOptions{
		Path: s.webhookPath, Secrets: s.secrets, WithoutSecret: s.withoutSecret,
		Observe: newDeliveryLog(log).observe,
	})
	if err != nil {
		return err
	}
	var ready atomic.Bool
	ready.Store(true)
	webhooks := openSite(webhookListener, handler, log)
	api := openSite(apiListener, newAPI(rack, &ready), log)
	s.announce(webhooks, api, log)

	select {
	case <-ctx.Done():
		log.Info("shutting down; a second signal ends at once")
	case err = <-webhooks.failed:
	case err = <-api.failed:
	}
	ready.Store(false)
	// The API tells for as long as deliveries are finished that we are going.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return errors.Join(err, webhooks.close(bounded), api.close(bounded))
}

// announce says where we listen, and what is missing for use in earnest.
func (s *settings) announce(webhooks, api *site, log *slog.Logger) {
	if s.withoutSecret {
		log.Warn("deliveries are accepted from anybody who reaches the webhook listener")
	}
	if s.store == "memory" {
		log.Warn("everything is kept in memory and ends with this process")
	}
	log.Info("receiving webhooks", "url", fmt.Sprintf("http://%s%s", webhooks.addr, s.webhookPath), "horizon", s.horizon)
	log.Info("answering questions", "url", fmt.Sprintf("http://%s/v1/introspect", api.addr))
}
