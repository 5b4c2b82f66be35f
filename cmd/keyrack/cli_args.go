package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
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
		return lifecycle.Token{}, usage.Errorf("the token is empty")
	}
	return typedToken(args[0])
}

// readToken reads a token from stdin, without what surrounds it there: line ends, quotes.
func readToken(stdin io.Reader) (lifecycle.Token, error) {
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(stdin), 2*api.TokenLimit))
	if err != nil {
		return lifecycle.Token{}, errors.New("the token cannot be read from stdin")
	}
	switch line := strings.TrimSpace(string(text)); {
	case line == "":
		return lifecycle.Token{}, usage.Errorf(`stdin holds no token; try: printf %%s "$TOKEN" | keyrack ...`)
	case strings.ContainsAny(line, "\r\n"):
		return lifecycle.Token{}, usage.Errorf("stdin holds more than one line; a token is one line")
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
		return lifecycle.Token{}, usage.Errorf("the text is too long for a token")
	}
	return token, nil
}

// The ranges of the Rack's options, which refuses what is outside of them as well.
const (
	leastTime      = time.Millisecond
	leastAsked     = 10 * time.Second // of --max-age, if Mews is asked: the time between two questions
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
