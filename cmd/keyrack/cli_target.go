package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// defaultTarget is where serve receives webhooks if it is told nothing else.
const defaultTarget = "http://127.0.0.1:8080" + keyrack.DefaultPath

// target is a receiver of webhooks, of any make.
type target struct {
	url    string
	secret lifecycle.Token // zero: none is sent
}

func (t *target) flags(flags *pflag.FlagSet) {
	flags.StringVar(&t.url, "to", defaultTarget, "the receiver's `URL`")
}

// targetHelp is in the help of every verb that delivers.
const targetHelp = `The secret comes from KEYRACK_WEBHOOK_SECRET, as for serve, and is appended as
?Token=SECRET; without it none is sent. Neither it nor a token is ever printed.`

// check reads the secret, and finds what cannot be meant so. Of the URL it quotes
// nothing: there may be a secret in it.
func (t *target) check(env environment, warnings io.Writer) error {
	secret := env(secretVariable)
	if strings.TrimSpace(secret) != secret {
		return usage.Errorf("%s begins or ends with white space, which is hardly meant; take it away", secretVariable)
	}
	t.secret = lifecycle.NewToken(secret)
	u, err := url.Parse(t.url)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return usage.Errorf("--to is a URL, such as %s", defaultTarget)
	case u.User != nil || u.Query().Has("Token"):
		return usage.Errorf("--to has a secret in it, which other users of this machine can read; set %s instead", secretVariable)
	case u.Scheme == "http" && secret != "" && !api.IsLoopback(u.Host):
		fmt.Fprintln(warnings, "keyrack: warning: the secret goes over the network in clear; use https")
	}
	return nil
}

// sender returns what sends to the target as Mews does. The caller calls close
// after the last delivery.
func (t *target) sender() (s *mewstest.Sender, close func()) {
	carrier := client.NewTransport()
	return &mewstest.Sender{URL: t.url, Secret: t.secret, Transport: carrier}, carrier.CloseIdleConnections
}

// hint says what to do about an answer that is no success, or nothing.
func (t *target) hint(a mewstest.Answer) string {
	switch {
	case a.Status == 0 && a.Trouble != "":
		return "is the receiver running, and is --to its URL? keyrack serve says where it receives"
	case a.Status == http.StatusUnauthorized && t.secret.IsZero():
		return "the receiver wants a secret: set " + secretVariable + " to the one that it was given"
	case a.Status == http.StatusUnauthorized:
		return "the secret in " + secretVariable + " is not one of the receiver's"
	case a.Status == http.StatusNotFound:
		return "the receiver answers another path; keyrack serve says which"
	case a.Status == http.StatusServiceUnavailable:
		return "the receiver's store failed; Mews would send it again"
	}
	return ""
}

// succeeded tells whether a status is a success: any 2xx. Mews's documents name 200,
// 202 and 204.
func succeeded(a mewstest.Answer) bool { return a.Trouble == "" && a.Status >= 200 && a.Status < 300 }
