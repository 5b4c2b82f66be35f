package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

func newConfig(l *layers) *cobra.Command {
	var o output
	config := &cobra.Command{
		Use:   "config [flags] [VERB [FLAG]...]",
		Short: "Show where each setting comes from",
		Long: `Config shows the settings of a verb with the flags that follow it, of serve by default,
and where each setting comes from. In this order:

  flag          on the command line
  environment   --webhook-addr is KEYRACK_WEBHOOK_ADDR, and so on
  file          the one that --config or KEYRACK_CONFIG names
  default

The file has lines such as KEYRACK_WEBHOOK_ADDR=127.0.0.1:8080. Empty lines and lines
that begin with # are skipped; an unknown setting is an error. Only the owner may have
access to a file that holds secrets.

Config never shows a secret, only whether it is set. It contacts nobody.`,
		Example: `  keyrack config
  keyrack config list
  keyrack config --config keyrack.env serve --horizon 1h`,
		RunE: func(verb *cobra.Command, args []string) error {
			if err := o.open(verb, l.lookup); err != nil {
				return err
			}
			return l.show(verb.Root(), args, &o)
		},
	}
	config.Flags().SetInterspersed(false) // what follows a verb is the verb's
	config.Flags().SortFlags = false
	o.flags(config.Flags())
	return config
}

// configured is one setting and where it comes from.
type configured struct {
	Flag     string `json:"flag,omitempty"` // missing for secrets
	Variable string `json:"variable,omitempty"`
	Value    string `json:"value"`
	From     string `json:"from"`
	Secret   bool   `json:"secret"` // then the value says whether it is set
}

// show prints the settings of a verb.
func (l *layers) show(root *cobra.Command, args []string, o *output) error {
	if len(args) == 0 {
		args = []string{"serve"}
	}
	verb, rest, err := root.Find(args)
	if err != nil || verb == root {
		return usage.Errorf("unknown command; keyrack --help lists the commands")
	}
	if err := verb.ParseFlags(rest); err != nil {
		return usage.Errorf("%w", err)
	}
	l.given = givenIn(verb.Flags())
	wrong := setFromEnvironment(verb.Flags(), l.lookup)
	all := l.list(verb.Flags())
	return errors.Join(l.tell(verb, all, o), wrong)
}

// givenIn returns the flags that are set by now.
func givenIn(flags *pflag.FlagSet) map[string]bool {
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	return given
}

// list returns the settings of a verb, once its flags are set.
func (l *layers) list(flags *pflag.FlagSet) (all []configured) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "config" {
			return
		}
		s := configured{Flag: "--" + f.Name, Value: shown(f.Value.String()), From: "default"}
		if settable(f) {
			s.Variable = variable(f.Name)
		}
		if from := l.source(s.Variable); l.given[f.Name] {
			s.From = "flag"
		} else if from != "" && s.Variable != "" {
			s.From = from
		}
		all = append(all, s)
	})
	for _, name := range secretVariables {
		s := configured{Variable: name, Value: "not set", Secret: true}
		if from := l.source(name); from != "" {
			s.Value, s.From = "set", from
		}
		all = append(all, s)
	}
	return all
}

func (l *layers) tell(verb *cobra.Command, all []configured, o *output) error {
	return list(o, all, func() error { return l.table(verb, all, o) })
}

func (l *layers) table(verb *cobra.Command, all []configured, o *output) error {
	file := "no settings file; set one with --config or KEYRACK_CONFIG"
	if l.name != "" {
		file = "file: " + l.name
	}
	if err := o.printf("%s (%s)\n\n", verb.CommandPath(), terminal.Plain(file)); err != nil {
		return err
	}
	var t terminal.Table
	t.Titles("FLAG", "VARIABLE", "VALUE", "FROM")
	for _, s := range all {
		t.Row(s.Flag, s.Variable, terminal.Plain(s.Value), s.From)
	}
	return t.Write(o.w, o.columns)
}

// shown returns a value without what may be secret in it: the password and the query of a
// URL.
func shown(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	u, err := url.Parse(value)
	if err != nil {
		return "(hidden: not a URL)"
	}
	hidden := u.User != nil || u.RawQuery != "" || u.Fragment != ""
	u.User, u.RawQuery, u.Fragment, u.ForceQuery = nil, "", "", false
	if hidden {
		return u.String() + " (the rest is hidden)"
	}
	return u.String()
}

func newWhatIf(env environment) *cobra.Command {
	var w whatIf
	verb := &cobra.Command{
		Use:   "whatif --policy CHANGE[,CHANGE]... [flags]",
		Short: "Show which verdicts another policy would have changed",
		Long: `Whatif compares the policy of the sidecar with another one, over the journal of the last
90 days: for each integration, for how many minutes which status of its current token would
have been which other one. A change is a flag of keyrack serve without its dashes, and its
value: max-age, levels, reinstated, canceled, canceled-for, grace, assume or assume-after.

Where an integration is younger, or its journal was trimmed, it is compared for a shorter
time, since SINCE. The evidence is what it was: with a shorter max-age, Mews would have been
asked more often. Whatif changes nothing.

` + storeHelp,
		Example: `  keyrack whatif --policy max-age=12h
  keyrack whatif --policy canceled=usable,canceled-for=24h --days 30
  keyrack whatif --policy assume=true --format jsonl | jq -r 'select(.changed != [])'`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			if err := w.check(verb, env); err != nil {
				return err
			}
			u, err := w.atRest(verb, env)
			if err != nil {
				return err
			}
			ring, err := w.sealing.Load(u, false)
			if err != nil {
				return err
			}
			return u.With(verb.Context(), func(s store.Store) error {
				return ring.Explain(w.compare(verb.Context(), s, ring), storage.WrongKey)
			})
		},
	}
	return w.flagsOf(verb, true, func(flags *pflag.FlagSet) {
		flags.StringSliceVar(&w.policy, "policy", nil, "the other policy: `changes` such as max-age=12h, separated by commas")
		_ = flags.SetAnnotation("policy", explicit, nil) // the flag is there
		flags.IntVar(&w.days, "days", 90, "over how many days until now, 1 to 3650")
		w.output.flags(flags)
	})
}

// whatIf is a comparison of policies.
type whatIf struct {
	storeSettings
	output output
	policy []string
	days   int
}

// check checks the flags as far as they can be without the policy in use.
func (w *whatIf) check(verb *cobra.Command, env environment) error {
	if err := w.output.open(verb, env); err != nil {
		return err
	}
	if w.days < 1 || w.days > 3650 {
		return usage.Errorf("--days is %d; it must be from 1 to 3650", w.days)
	}
	if len(w.policy) == 0 {
		return usage.Errorf("--policy is missing: it says what would be different, such as --policy max-age=12h")
	}
	var r rackSettings
	_, err := r.change(w.policy)
	return err
}

// difference is a line of the answer.
type difference struct {
	Integration api.Named     `json:"integration"`
	Enterprise  api.Named     `json:"enterprise"`
	Since       time.Time     `json:"since"`
	Trimmed     bool          `json:"trimmed"` // nobody knows what was before since
	Changed     []wouldChange `json:"changed"`
}

type wouldChange struct {
	Was     lifecycle.Status `json:"was"`
	WouldBe lifecycle.Status `json:"would_be"`
	Minutes float64          `json:"minutes"`
}

func differenceOf(d *atrest.Difference) difference {
	one := difference{api.Named(d.Integration), api.Named(d.Enterprise), d.Since.UTC(), d.Trimmed, []wouldChange{}}
	for c, took := range d.Changed {
		one.Changed = append(one.Changed, wouldChange{c.Was, c.Would, took.Minutes()})
	}
	slices.SortFunc(one.Changed, func(a, b wouldChange) int {
		return cmp.Or(cmp.Compare(b.Minutes, a.Minutes), cmp.Compare(a.Was, b.Was), cmp.Compare(a.WouldBe, b.WouldBe))
	})
	return one
}

// compare compares the policy of a store with the other one.
func (w *whatIf) compare(ctx context.Context, s store.Store, ring storage.KeyRing) error {
	is, err := atrest.Policy(ctx, s, ring.Ring, nil)
	if err != nil {
		return err
	}
	var wrong error
	other, err := atrest.Policy(ctx, s, ring.Ring, func(p *lifecycle.Policy) { *p, wrong = otherPolicy(*p, w.policy) })
	if err = cmp.Or(wrong, err); err != nil {
		return err
	}
	now := time.Now()
	all := []difference{}
	for d, err := range atrest.WhatIf(ctx, s, is, other, now.AddDate(0, 0, -w.days), now) {
		if err != nil {
			return err
		}
		all = append(all, differenceOf(&d))
	}
	return w.tell(all)
}

func (w *whatIf) tell(all []difference) error {
	return list(&w.output, all, func() error { return w.table(all) })
}

func (w *whatIf) table(all []difference) error {
	var t terminal.Table
	t.Titles("INTEGRATION", "HOTEL", "SINCE", "WAS", "WOULD BE", "MINUTES")
	rows := 0
	for _, d := range all {
		since, changed := d.Since.Format(time.RFC3339), d.Changed
		if d.Trimmed {
			since += " (trimmed)"
			if len(changed) == 0 {
				changed = []wouldChange{{}} // so that nobody takes it for the whole time
			}
		}
		for _, c := range changed {
			was, would, minutes := "", "", "0"
			if c != (wouldChange{}) {
				was, would, minutes = w.output.status(c.Was.String()), w.output.status(c.WouldBe.String()), fmt.Sprintf("%.1f", c.Minutes)
			}
			t.Row(terminal.Plain(d.Integration.ID), terminal.Plain(cmp.Or(d.Enterprise.Name, d.Enterprise.ID)), since, was, would, minutes)
			rows++
		}
	}
	if rows == 0 {
		return w.output.printf("no verdict would have been another one; integrations: %d\n", len(all))
	}
	return t.Write(w.output.w, w.output.columns)
}
