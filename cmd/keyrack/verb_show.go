package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// looking is a question about one integration.
type looking struct {
	client client
	output output
}

// run opens what a verb about one integration needs, and asks.
func (l *looking) run(verb *cobra.Command, env environment, ask func(ctx context.Context) error) error {
	if err := l.output.open(verb, env); err != nil {
		return err
	}
	if err := l.client.open(env, verb.ErrOrStderr()); err != nil {
		return err
	}
	defer l.client.close()
	return ask(verb.Context())
}

func (l *looking) flags(verb *cobra.Command) {
	flags := verb.Flags()
	flags.SortFlags = false
	l.output.flags(flags)
	l.client.flags(flags)
}

func newShow(env environment) *cobra.Command {
	var l looking
	show := &cobra.Command{
		Use:   "show INTEGRATION [flags]",
		Short: "Show what is known of one integration",
		Long: `Show prints what a receiver knows of one integration: its state, whether its token
is valid, and the tokens that it has and had, by digests, never in clear.

` + clientHelp + `
The key needs the scope read.`,
		Example: `  keyrack show 9e5e84e9-974d-4f16-9662-ab2200f27cb1`,
		Args:    exactly("INTEGRATION"),
		RunE: func(verb *cobra.Command, args []string) error {
			return l.run(verb, env, func(ctx context.Context) error { return l.show(ctx, args[0]) })
		},
	}
	l.flags(show)
	return show
}

func (l *looking) show(ctx context.Context, id string) error {
	answer, err := l.client.get(ctx, nil, ofIntegration(id)...)
	if err != nil {
		return err
	}
	if !l.output.text() {
		return l.output.raw(answer)
	}
	d, err := read[api.Integration](answer)
	if err != nil {
		return err
	}
	var t table
	add := func(name, value string) {
		if value != "" {
			t.row(name, value)
		}
	}
	status := fmt.Sprintf("%s, %v", l.output.status(d.Status.String()), d.Reason)
	if d.Assumed {
		status += ", assumed"
	} else if d.Status == lifecycle.Unknown {
		status += fmt.Sprintf(" (probably %v)", d.Guess)
	}
	add("integration", describeNamed(&d.Integration))
	add("enterprise", describeNamed(d.Enterprise))
	add("service", describeNamed(d.Service))
	add("state", d.State.String())
	add("status", status)
	add("evidence", describeEvidence(d.Evidence, d.AgeSeconds))
	add("created", describeTime(d.CreatedUtc))
	add("deleted", describeTime(d.DeletedUtc))
	for _, k := range d.Tokens {
		since := k.Since
		if k.Until != nil {
			since = k.Until
		}
		line := fmt.Sprintf("%s  %v since %s", plain(k.Digest), k.Status, describeTime(since))
		if k.Answer != lifecycle.NoAnswer {
			line += fmt.Sprintf(", %v by Mews at %s", k.Answer, describeTime(k.Asked))
		}
		add("token", line)
	}
	return t.write(l.output.w)
}

func newExplain(env environment) *cobra.Command {
	var l looking
	explain := &cobra.Command{
		Use:   "explain INTEGRATION [flags]",
		Short: "Say why a verdict is what it is, and what would change it",
		Long: `Explain prints the verdict on an integration's token, everything that happened to
the integration and what became of it, and what would change the verdict.

` + clientHelp + `
The key needs the scope read.`,
		Example: `  keyrack explain 9e5e84e9-974d-4f16-9662-ab2200f27cb1`,
		Args:    exactly("INTEGRATION"),
		RunE: func(verb *cobra.Command, args []string) error {
			return l.run(verb, env, func(ctx context.Context) error { return l.explain(ctx, args[0]) })
		},
	}
	l.flags(explain)
	return explain
}

func (l *looking) explain(ctx context.Context, id string) error {
	if !l.output.text() {
		answer, err := l.client.get(ctx, nil, ofIntegration(id, "explain")...)
		if err != nil {
			return err
		}
		return l.output.raw(answer)
	}
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	resp, err := l.client.ask(ctx, question{
		method: http.MethodGet, path: ofIntegration(id, "explain"), header: map[string]string{"Accept": "text/plain"},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return ended(ctx)
	}
	for line := range strings.Lines(string(text)) {
		if err := l.output.printf("%s\n", plain(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

// describeNamed writes an id with its name.
func describeNamed(n *api.Named) string {
	switch {
	case n == nil:
		return ""
	case n.Name == "":
		return plain(n.ID)
	}
	return fmt.Sprintf("%s (%s)", plain(n.ID), plain(n.Name))
}

func describeTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
