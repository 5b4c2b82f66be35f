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

// steeringHelp is in the help of every verb about subscriptions.
const steeringHelp = `Subscriptions are those of programs that hold a rack of this library on the same
store, and have it call them with what changes. Keyrack serve has none of its own.

` + officeHelp

func newSubscriptions(env environment) *cobra.Command {
	all := &cobra.Command{
		Use:   "subscriptions",
		Short: "List, pause, resume and replay subscriptions",
		Long: `Subscriptions shows where the subscriptions stand, and steers them.

` + steeringHelp,
		Example: `  keyrack subscriptions list
  keyrack subscriptions pause billing`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Errorf("there is no such command of %s; there is: list, pause, resume, replay", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, _ []string) error { return verb.Help() },
	}
	all.AddCommand(
		newSubscriptionsList(env),
		newSteering(env, "pause", "Stop a subscription, so that nothing is lost", "paused; keyrack subscriptions resume lets it go on where it stood"),
		newSteering(env, "resume", "Let a paused subscription go on where it stood", "goes on"),
		newSteering(env, "replay", "Have a subscription begin again after a position", "begins again"),
	)
	for _, verb := range all.Commands() {
		verb.DisableFlagsInUseLine = true
	}
	return all
}

func newSubscriptionsList(env environment) *cobra.Command {
	var o office
	var out output
	list := &cobra.Command{
		Use:   "list [flags]",
		Short: "List the subscriptions, and how far they are",
		Long: `List prints every subscription that the store knows, whether a program runs it or
not: how far in the journal it is, how many positions that is behind the end, and
how many dead letters it has.

` + steeringHelp,
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
	switch {
	case out.format == formatJSON:
		return out.value(raw.Subscriptions)
	case out.text() && len(raw.Subscriptions) == 0:
		return out.printf("there are no subscriptions\n")
	}
	var t table
	t.row("SUBSCRIPTION", "STATE", "POSITION", "BEHIND", "DEAD LETTERS")
	for _, one := range raw.Subscriptions {
		if !out.text() {
			if err := out.raw(one); err != nil {
				return err
			}
			continue
		}
		s, err := client.Decode[api.Subscription](one)
		if err != nil {
			return err
		}
		state := "on"
		if s.Paused {
			state = "paused"
		}
		t.row(terminal.Plain(s.Name), state, fmt.Sprint(s.Position), fmt.Sprint(s.Behind), fmt.Sprint(s.Dead))
	}
	if !out.text() {
		return nil
	}
	return t.write(out.w)
}

// newSteering returns the verb of one act.
func newSteering(env environment, act, short, done string) *cobra.Command {
	var o office
	var after string
	use, long := act+" NAME [flags]", short+".\nWhichever program runs it heeds that within about a second."
	if act == "replay" {
		long += `
Its handler sees the same entries again, with the same ids; --after 0 is everything
that is left of the journal.`
	}
	verb := &cobra.Command{
		Use:     use,
		Short:   short,
		Long:    long + "\n\n" + steeringHelp,
		Example: "  keyrack subscriptions " + act + " billing" + map[bool]string{true: " --after 0"}[act == "replay"],
		Args:    exactly("NAME"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			wanted := api.SubscriptionControl{Name: args[0]}
			if act == "replay" {
				position, err := strconv.ParseUint(after, 10, 64)
				if err != nil {
					return usage.Errorf("--after is the position after which to begin again, 0 for all that is left; keyrack tail --format jsonl shows positions")
				}
				wanted.After = (*store.Position)(&position)
			}
			if err := o.open(verb, env); err != nil {
				return err
			}
			defer o.close(&err)
			if _, err := o.Post(verb.Context(), wanted, "v1", "subscriptions", act); err != nil {
				return err
			}
			_, err = fmt.Fprintf(verb.OutOrStdout(), "%s: %s\n", terminal.Plain(args[0]), done)
			return err
		},
	}
	flags := verb.Flags()
	flags.SortFlags = false
	if act == "replay" {
		flags.StringVar(&after, "after", "", "begin again after this `position`, 0 for all that is left; required")
	}
	o.flags(flags)
	return verb
}
