package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/console"
)

// apiAddrFor resolves the address of the API listener once, so that the address that is
// checked is the one that is used. Without keys it must be loopback.
func apiAddrFor(ctx context.Context, hostport string, keys api.Keys) (string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", usage.Errorf("--api-addr must be host:port; try 127.0.0.1:8081")
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
		return "", usage.Errorf(`--api-addr %s can be reached from other machines, but there are no API keys.
Listen on loopback, such as 127.0.0.1:%s, or create a key:
  keyrack apikey NAME SCOPES`, hostport, port)
	}
	return net.JoinHostPort(addrs[0].Unmap().String(), port), nil
}

// listen opens the socket that a flag names. Port 0 is any free port.
func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with --%s or %s", err, flag, variable(flag))
	}
	return l, nil
}

// announce logs where the process listens, what to register with Mews, and what is unsafe in
// production.
func (s *settings) announce(webhooks, answers, health *httpserver.Server, log *slog.Logger) {
	if s.withoutSecret {
		log.Warn("webhooks are accepted from anybody who can reach the listener")
	}
	if s.storeURL.Kind == storage.Memory {
		log.Warn("everything is kept in memory and is lost when this process ends")
	} else {
		log.Info("everything is kept", "store", s.storeURL.String())
	}
	if s.client != nil {
		log.Info("asking Mews", "rate", s.options.ProbeRate)
	}
	receiving := []any{"url", fmt.Sprintf("http://%s%s", webhooks.Addr, s.webhookPath)}
	if s.options.Horizon != 0 { // else it is the store's
		receiving = append(receiving, "horizon", s.options.Horizon)
	}
	log.Info("receiving webhooks", receiving...)
	log.Info("register with Mews", "url", "https://YOUR.HOST"+s.registered())
	if !s.withoutSecret && !plainInQuery(s.secrets[0].Value) {
		log.Warn("the secret has characters that a URL writes in another way, such as %2B for +; one of openssl rand -hex 32 has none")
	}
	log.Info("answering questions", "url", fmt.Sprintf("http://%s%s", answers.Addr, api.IntrospectPath), "keys", len(s.apiKeys))
	log.Info("showing the operator's page", "url", fmt.Sprintf("http://%s%s", answers.Addr, api.ConsolePath))
	if health != nil {
		log.Info("answering health checks", "url", fmt.Sprintf("http://%s/readyz", health.Addr))
	}
}

// registered is the path and the query that Mews is to call, with a mark in place of the
// secret.
func (s *settings) registered() string {
	if s.withoutSecret {
		return s.webhookPath
	}
	return s.webhookPath + "?Token={" + secretVariable + "}"
}

// plainInQuery reports whether a secret stands in a query as it is.
func plainInQuery(secret keyrack.Token) bool {
	return url.QueryEscape(secret.Reveal()) == secret.Reveal()
}

// newConsole returns the operator's page. With API keys a visitor signs in with one that may
// read, and with the scope admin may do everything and see persons; without keys the API
// listener serves this machine alone, and nobody may do anything.
func (s *settings) newConsole(rack *keyrack.Rack, webhooks *keyrack.Handler) *console.Handler {
	o := console.Options{Webhooks: webhooks, Prober: s.client != nil}
	for _, one := range s.shown {
		name := one.Flag
		if name == "" {
			name = one.Variable
		}
		o.Settings = append(o.Settings, console.Setting{Name: name, Value: one.Value, From: one.From})
	}
	if len(s.apiKeys) > 0 {
		o.SignIn = func(key string) (console.Visitor, bool) {
			name := s.apiKeys.Reader(key)
			return console.Visitor{Name: name, Persons: s.apiKeys.Admin(name)}, name != ""
		}
		o.May = func(v console.Visitor, _ console.Act) bool { return s.apiKeys.Admin(v.Name) }
	}
	return console.New(rack, &o)
}

// ignoreHangup has SIGHUP ignored, with a line in the log, as long as nobody sits at the
// terminal: services are told by it to read their settings anew, which serve does at its start
// alone. The function that it returns undoes that.
func ignoreHangup(log *slog.Logger) (undo func()) {
	if terminal.Is(os.Stderr) {
		return func() {}
	}
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range hangups {
			log.Warn("SIGHUP is ignored; keys and settings are read at the start, so restart to have them read anew")
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}
