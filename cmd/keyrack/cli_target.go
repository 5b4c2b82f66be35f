package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// defaultTarget is where serve receives webhooks by default.
const defaultTarget = "http://127.0.0.1:8080" + keyrack.DefaultPath

// target is a receiver of webhooks, of any make.
type target struct {
	url    string
	secret lifecycle.Token // zero: none is sent
}

func (t *target) flags(flags *pflag.FlagSet) {
	flags.StringVar(&t.url, "to", defaultTarget, "`URL` of the receiver")
}

// targetHelp is in the help of every verb that delivers webhooks.
const targetHelp = `KEYRACK_WEBHOOK_SECRET is the secret, as for serve, and is appended as ?Token=SECRET;
without it none is sent. Neither the secret nor a token is ever printed.`

// check reads the secret and checks --to. It quotes nothing of the URL, which may hold a
// secret.
func (t *target) check(env environment, warnings io.Writer) error {
	secret := env(secretVariable)
	if strings.TrimSpace(secret) != secret {
		return usage.Errorf("%s begins or ends with white space; remove it", secretVariable)
	}
	t.secret = lifecycle.NewToken(secret)
	u, err := url.Parse(t.url)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return usage.Errorf("--to must be a URL, such as %s", defaultTarget)
	case u.User != nil || u.Query().Has("Token"):
		return usage.Errorf("--to holds a secret, which other users of this machine can read; set %s instead", secretVariable)
	case u.Scheme == "http" && secret != "" && !httpserver.IsLoopback(u.Host):
		fmt.Fprintln(warnings, "keyrack: warning: the secret crosses the network unencrypted; use https")
	}
	return nil
}

// sender returns a sender that delivers as Mews does. The caller calls close after the last
// delivery.
func (t *target) sender() (s *mewstest.Sender, close func()) {
	carrier := client.NewTransport()
	return &mewstest.Sender{URL: t.url, Secret: t.secret, Transport: carrier}, carrier.CloseIdleConnections
}

// hint returns what to do about a failed delivery, or "".
func (t *target) hint(a mewstest.Reply) string {
	switch {
	case a.Status == 0 && a.Trouble != "":
		return "check that the receiver is running and that --to is its URL, which keyrack serve logs"
	case a.Status == http.StatusUnauthorized && t.secret.IsZero():
		return "the receiver requires a secret: set " + secretVariable + " to the same one"
	case a.Status == http.StatusUnauthorized:
		return "the receiver does not accept the secret in " + secretVariable + "; set the one that it has"
	case a.Status == http.StatusNotFound:
		return "the receiver answers on another path, which keyrack serve logs"
	case a.Status == http.StatusServiceUnavailable:
		return "the store of the receiver failed; Mews would send the webhook again"
	}
	return ""
}

// succeeded reports whether a status is a success: any 2xx. Mews's documents name 200, 202
// and 204.
func succeeded(a mewstest.Reply) bool { return a.Trouble == "" && a.Status >= 200 && a.Status < 300 }
