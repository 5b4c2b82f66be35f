package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/store"
)

// subscriptionsHelp is in the help of every verb about subscriptions.
const subscriptionsHelp = `Subscriptions belong to programs that use this library on the same store and are
called with every change. Keyrack serve has none of its own.

` + backendHelp

func newSubscriptions(env environment) *cobra.Command {
	all := &cobra.Command{
		Use:   "subscriptions",
		Short: "List, pause, resume and rewind subscriptions",
		Long: `Subscriptions lists and controls the subscriptions on a store.

` + subscriptionsHelp,
		Example: `  keyrack subscriptions list
  keyrack subscriptions pause billing`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Errorf("unknown command of %s; use list, pause, resume or rewind", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, _ []string) error { return verb.Help() },
	}
	all.AddCommand(
		newSubscriptionsList(env),
		newSubscriptionControl(env, "pause", "Pause a subscription without losing changes", "paused; keyrack subscriptions resume continues it"),
		newSubscriptionControl(env, "resume", "Resume a paused subscription where it stopped", "resumed"),
		newSubscriptionControl(env, "rewind", "Rewind a subscription to a position", "rewound"),
	)
	for _, verb := range all.Commands() {
		verb.DisableFlagsInUseLine = true
	}
	return all
}

func newSubscriptionsList(env environment) *cobra.Command {
	var o backend
	var out output
	list := &cobra.Command{
		Use:   "list [flags]",
		Short: "List the subscriptions and their positions",
		Long: `List prints every subscription on the store, whether a program runs it or not: its
position in the journal, how many positions that is behind the end, and how many dead
letters it has.

` + subscriptionsHelp,
		Example: `  keyrack subscriptions list
  keyrack subscriptions list --store sqlite:keyrack.db`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) (err error) {
			if err := out.open(verb, env); err != nil {
				return err
			}
			if err := o.open(verb, env); err != nil {
				return err
			}
			defer o.close(&err)
			answer, err := o.Get(verb.Context(), nil, "v1", "subscriptions")
			if err != nil {
				return err
			}
			return tellSubscriptions(&out, answer)
		},
	}
	flags := list.Flags()
	flags.SortFlags = false
	out.flags(flags)
	o.flags(flags)
	return list
}

func tellSubscriptions(out *output, answer json.RawMessage) error {
	raw, err := client.Decode[struct {
		Subscriptions []json.RawMessage `json:"subscriptions"`
	}](answer)
	if err != nil {
		return err
	}
	return list(out, raw.Subscriptions, func() error { return subscriptionsTable(out, raw.Subscriptions) })
}

// subscriptionsTable prints the subscriptions for people.
func subscriptionsTable(out *output, rows []json.RawMessage) error {
	if len(rows) == 0 {
		return out.printf("no subscriptions\n")
	}
	var t terminal.Table
	t.Titles("SUBSCRIPTION", "STATE", "POSITION", "LAG", "DEAD LETTERS")
	for _, one := range rows {
		s, err := client.Decode[api.Subscription](one)
		if err != nil {
			return err
		}
		state := "on"
		if s.Paused {
			state = "paused"
		}
		t.Row(terminal.Plain(s.Name), state, fmt.Sprint(s.Position), fmt.Sprint(s.Lag), fmt.Sprint(s.Dead))
	}
	return t.Write(out.w, out.columns)
}

// newSubscriptionControl returns the verb of one action.
func newSubscriptionControl(env environment, action, short, done string) *cobra.Command {
	var o backend
	var after string
	use, long := action+" NAME [flags]", short+". The program that\nruns it notices within about a second."
	if action == "rewind" {
		long += `
Its handler gets the same changes again, with the same ids. --after 0 is the oldest
entry that is left in the journal.`
	}
	verb := &cobra.Command{
		Use:     use,
		Short:   short,
		Long:    long + "\n\n" + subscriptionsHelp,
		Example: "  keyrack subscriptions " + action + " billing" + map[bool]string{true: " --after 0"}[action == "rewind"],
		Args:    exactly("NAME"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			wanted := api.SubscriptionControl{Name: args[0]}
			if action == "rewind" {
				position, err := strconv.ParseUint(after, 10, 64)
				if err != nil {
					return usage.Errorf("--after must be a position, or 0 for the oldest entry; keyrack tail --format jsonl shows positions")
				}
				wanted.After = (*store.Position)(&position)
			}
			if err := o.open(verb, env); err != nil {
				return err
			}
			defer o.close(&err)
			if _, err := o.Post(verb.Context(), wanted, "v1", "subscriptions", action); err != nil {
				return err
			}
			_, err = fmt.Fprintf(verb.OutOrStdout(), "%s: %s\n", terminal.Plain(args[0]), done)
			return err
		},
	}
	flags := verb.Flags()
	flags.SortFlags = false
	if action == "rewind" {
		flags.StringVar(&after, "after", "", "continue after this `position`, 0 for the oldest entry; required")
	}
	o.flags(flags)
	return verb
}
