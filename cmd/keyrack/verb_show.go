package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// looking is a question about one integration.
type looking struct {
	client sidecar
	output output
}

// run opens what a verb about one integration needs, and calls ask.
func (l *looking) run(verb *cobra.Command, env environment, ask func(ctx context.Context) error) error {
	if err := l.output.open(verb, env); err != nil {
		return err
	}
	if err := l.client.open(env, verb.ErrOrStderr()); err != nil {
		return err
	}
	defer l.client.Close()
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
		Short: "Show one integration",
		Long: `Show prints what a sidecar knows about one integration: its state, whether its token
is valid, and its current and former tokens, as digests, never in clear.

` + sidecarHelp + `
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
	answer, err := l.client.Get(ctx, nil, client.IntegrationPath(id)...)
	if err != nil {
		return err
	}
	if !l.output.text() {
		return l.output.raw(answer)
	}
	d, err := client.Decode[api.Integration](answer)
	if err != nil {
		return err
	}
	var t terminal.Table
	add := func(name, value string) {
		if value != "" {
			t.Row(name, value)
		}
	}
	status := fmt.Sprintf("%s, %v", l.output.status(d.Status.String()), d.Reason)
	if d.Assumed {
		status += ", assumed"
	} else if d.Status == lifecycle.Unknown {
		status += fmt.Sprintf(" (probably %v)", d.Guess)
	}
	if d.Trouble {
		status += ", as before Mews refused whatever it was asked"
	}
	add("integration", describeNamed(&d.Integration))
	add("enterprise", describeNamed(d.Enterprise))
	add("service", describeNamed(d.Service))
	if len(d.Labels) > 0 {
		add("labels", labelText(d.Labels))
	}
	add("succeeds", terminal.Plain(d.Succeeds))
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
		line := fmt.Sprintf("%s  %v since %s", terminal.Plain(k.Digest), k.Status, describeTime(since))
		if k.Answer != lifecycle.NoAnswer {
			line += fmt.Sprintf(", %v by Mews at %s", k.Answer, describeTime(k.Asked))
		}
		add("token", line)
	}
	return t.Write(l.output.w, l.output.columns)
}

func newExplain(env environment) *cobra.Command {
	var l looking
	var at string
	explain := &cobra.Command{
		Use:   "explain INTEGRATION [flags]",
		Short: "Explain a verdict, and what would change it",
		Long: `Explain prints the verdict on the token of an integration, everything that happened
to the integration with its outcome, and what would change the verdict. With --at it
explains the verdict as it was at a moment, as far back as the journal goes.

` + sidecarHelp + `
The key needs the scope read.`,
		Example: `  keyrack explain 9e5e84e9-974d-4f16-9662-ab2200f27cb1
  keyrack explain 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --at 2026-05-01T10:00:00Z`,
		Args: exactly("INTEGRATION"),
		RunE: func(verb *cobra.Command, args []string) error {
			query := url.Values{}
			if at != "" {
				if _, err := time.Parse(time.RFC3339, at); err != nil {
					return usage.Errorf("--at must be a time in RFC 3339, such as 2026-05-01T10:00:00Z")
				}
				query.Set("at", at)
			}
			return l.run(verb, env, func(ctx context.Context) error { return l.explain(ctx, query, args[0]) })
		},
	}
	explain.Flags().StringVar(&at, "at", "", "explain the verdict as it was at this `time`, such as 2026-05-01T10:00:00Z")
	l.flags(explain)
	return explain
}

func (l *looking) explain(ctx context.Context, query url.Values, id string) error {
	if !l.output.text() {
		answer, err := l.client.Get(ctx, query, client.IntegrationPath(id, "explain")...)
		if err != nil {
			return err
		}
		return l.output.raw(answer)
	}
	text, err := l.client.Text(ctx, query, client.IntegrationPath(id, "explain")...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if err := l.output.printf("%s\n", terminal.Plain(strings.TrimSuffix(line, "\n"))); err != nil {
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
		return terminal.Plain(n.ID)
	}
	return fmt.Sprintf("%s (%s)", terminal.Plain(n.ID), terminal.Plain(n.Name))
}

func describeTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func newHistory(env environment) *cobra.Command {
	var l looking
	limit := 0
	history := &cobra.Command{
		Use:   "history INTEGRATION [flags]",
		Short: "List everything that happened to one integration",
		Long: `History prints a line for everything that happened to an integration, oldest first,
as far back as the journal goes, in the form of keyrack tail.

` + sidecarHelp + `
The key needs the scope read.`,
		Example: `  keyrack history 9e5e84e9-974d-4f16-9662-ab2200f27cb1
  keyrack history 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --format jsonl | jq -r .outcome`,
		Args: exactly("INTEGRATION"),
		RunE: func(verb *cobra.Command, args []string) error {
			if limit < 0 {
				return usage.Errorf("--limit must be a number of entries, or 0 for all")
			}
			return l.run(verb, env, func(ctx context.Context) error { return l.history(ctx, args[0], limit) })
		},
	}
	history.Flags().IntVar(&limit, "limit", 0, "how many at most, oldest first; 0 is all")
	l.flags(history)
	return history
}

func (l *looking) history(ctx context.Context, id string, limit int) error {
	rows := []json.RawMessage{}
	for raw, err := range l.client.History(ctx, id) {
		if err != nil {
			return err
		}
		if rows = append(rows, raw); len(rows) == limit {
			break
		}
	}
	return list(&l.output, rows, func() error {
		for _, raw := range rows {
			e, err := client.Decode[api.Change](raw)
			if err != nil {
				return err
			}
			if err := l.output.printf("%s\n", lineOf(&l.output, e)); err != nil {
				return err
			}
		}
		return nil
	})
}
