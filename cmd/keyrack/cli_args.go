package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// noArguments is for verbs that take only flags. It does not quote the argument, which may
// be a secret.
func noArguments(verb *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage.Errorf("%s takes no arguments", verb.CommandPath())
	}
	return nil
}

// exactly is for verbs whose arguments are required, in this order.
func exactly(names ...string) cobra.PositionalArgs {
	return func(verb *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usage.Errorf("%s takes %s", verb.CommandPath(), strings.Join(names, " "))
		}
		return nil
	}
}

// atMostOne is for verbs with one optional argument.
func atMostOne(name string) func(*cobra.Command, []string) error {
	return func(verb *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage.Errorf("%s takes at most one %s", verb.CommandPath(), name)
		}
		return nil
	}
}

// tokenFrom takes a token from the arguments or from stdin.
func tokenFrom(args []string, stdin io.Reader, warnings io.Writer) (lifecycle.Token, error) {
	if len(args) == 0 || args[0] == "-" {
		if terminal.Is(stdin) {
			fmt.Fprint(warnings, "the token, then Enter and Ctrl-D: ")
		}
		return readToken(stdin)
	}
	_, _ = io.WriteString(warnings, `keyrack: warning: the token is now in the history of your shell, and other users of this
machine could read it; next time: printf %s "$TOKEN" | keyrack check
`)
	if args[0] == "" {
		return lifecycle.Token{}, usage.Errorf(`the token is empty; is the variable set? Try: printf %%s "$TOKEN" | keyrack ...`)
	}
	return typedToken(args[0])
}

// readToken reads a token from stdin, without what surrounds it there: line ends, quotes.
func readToken(stdin io.Reader) (lifecycle.Token, error) {
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(stdin), 2*api.TokenLimit))
	if err != nil {
		return lifecycle.Token{}, errors.New(`the token cannot be read from stdin; pipe it in: printf %s "$TOKEN" | keyrack check, for example`)
	}
	switch line := strings.TrimSpace(string(text)); {
	case line == "":
		return lifecycle.Token{}, usage.Errorf(`stdin holds no token; try: printf %%s "$TOKEN" | keyrack ...`)
	case strings.ContainsAny(line, "\r\n"):
		return lifecycle.Token{}, usage.Errorf("stdin holds more than one line; a token is one line, so give one at a time")
	}
	return typedToken(string(text))
}

// typedToken returns the token that a person typed or pasted.
func typedToken(text string) (lifecycle.Token, error) {
	token, err := typed.Token(text)
	switch {
	case err != nil:
		return lifecycle.Token{}, usage.Errorf("%v", err)
	case len(token.Reveal()) > api.TokenLimit:
		return lifecycle.Token{}, usage.Errorf("the text is too long for a token, which has at most %d bytes; give the token alone", api.TokenLimit)
	}
	return token, nil
}

// The ranges of the Rack's options, which refuses what is outside of them as well.
const (
	leastTime      = time.Millisecond
	leastAsked     = 10 * time.Second // of --max-age, if Mews is asked: the time between two probes
	mostLate       = 30 * 24 * time.Hour
	mostAge        = 10 * 365 * 24 * time.Hour
	leastProbeRate = 1. / 86400
	mostProbeRate  = 1000
)

// checkRanges returns a usage error for a number outside of its range.
func (s *settings) checkRanges() error {
	least := leastTime
	if s.connector.url != "" {
		least = leastAsked
	}
	switch {
	case s.options.Horizon < leastTime || s.options.Horizon > mostLate:
		return usage.Errorf("--horizon is %v; it must be from %v to %v; leave it at %v unless you know how late webhooks arrive", s.options.Horizon, leastTime, mostLate, defaultHorizon)
	case s.options.Policy.MaxAge != 0 && (s.options.Policy.MaxAge < least || s.options.Policy.MaxAge > mostAge):
		return usage.Errorf("--max-age is %v; it must be from %v to %v; leave it out for the default", s.options.Policy.MaxAge, least, mostAge)
	case !(s.options.ProbeRate >= leastProbeRate && s.options.ProbeRate <= mostProbeRate): // NaN too
		return usage.Errorf("--probe-rate is %v; it must be from %.6f, which is one a day, to %d a second; leave it out for the default", s.options.ProbeRate, leastProbeRate, mostProbeRate)
	}
	return nil
}

// defaultTarget is where serve receives webhooks by default.
const defaultTarget = "http://127.0.0.1:8080" + keyrack.DefaultPath

// target is any receiver of webhooks.
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
