package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/store"
)

// lettersHelp is in the help of every verb about dead letters.
const lettersHelp = `A dead letter is a change that the handler of a subscription failed at for good. The
handler runs in a program that uses this library on the same store.

` + storeHelp

func newLetters(env environment) *cobra.Command {
	all := &cobra.Command{
		Use:   "letters",
		Short: "List, show, retry and discard dead letters",
		Long: `Letters sees to the dead letters of subscriptions.

` + lettersHelp,
		Example: `  keyrack letters list
  keyrack letters show billing`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage.Errorf("unknown command of %s; use list, show, retry or discard", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, _ []string) error { return verb.Help() },
	}
	all.AddCommand(newLettersList(env), newLettersShow(env), newLettersRetry(env), newLettersDiscard(env))
	for _, verb := range all.Commands() {
		verb.DisableFlagsInUseLine = true
	}
	return all
}

// deadLetter is a dead letter for programs.
type deadLetter struct {
	Subscription string         `json:"subscription"`
	Entry        string         `json:"entry"`
	Position     store.Position `json:"position"`
	Integration  string         `json:"integration,omitempty"`
	Attempts     int            `json:"attempts"`
	At           time.Time      `json:"at"`
}

// lettersOf returns the dead letters of a subscription, in the order of the journal.
func lettersOf(ctx context.Context, s store.Store, name string) ([]atrest.DeadLetter, error) {
	letters, err := atrest.DeadLetters(ctx, s, name)
	slices.SortFunc(letters, func(a, b atrest.DeadLetter) int { return int(a.Position) - int(b.Position) })
	return letters, err
}

func newLettersList(env environment) *cobra.Command {
	var s storeSettings
	var o output
	list := &cobra.Command{
		Use:     "list [flags]",
		Short:   "List the subscriptions that have dead letters",
		Long:    "List prints each subscription that has dead letters, and how many.\n\n" + lettersHelp,
		Example: `  keyrack letters list`,
		Args:    noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			if err := o.open(verb, env); err != nil {
				return err
			}
			return s.withStore(verb, env, func(ctx context.Context, s store.Store) error {
				all, err := atrest.Subscriptions(ctx, s)
				if err != nil {
					return err
				}
				type count struct {
					Subscription string `json:"subscription"`
					Letters      int    `json:"letters"`
				}
				rows := []count{}
				for _, one := range all {
					if one.Dead > 0 {
						rows = append(rows, count{one.Name, one.Dead})
					}
				}
				return rowsOf(&o, rows, "no dead letters", []string{"SUBSCRIPTION", "DEAD LETTERS"}, func(r count) []string {
					return []string{terminal.Plain(r.Subscription), fmt.Sprint(r.Letters)}
				})
			})
		},
	}
	return s.flagsOf(list, false, o.flags)
}

func newLettersShow(env environment) *cobra.Command {
	var s storeSettings
	var o output
	show := &cobra.Command{
		Use:   "show NAME [flags]",
		Short: "Show the dead letters of a subscription",
		Long: `Show prints the dead letters of a subscription: the entry of the journal, its position,
the integration, how often the handler failed and when last. keyrack history shows the
entry.

` + lettersHelp,
		Example: `  keyrack letters show billing
  keyrack letters show billing --format jsonl | jq -r .integration`,
		Args: exactly("NAME"),
		RunE: func(verb *cobra.Command, args []string) error {
			if err := o.open(verb, env); err != nil {
				return err
			}
			return s.withStore(verb, env, func(ctx context.Context, s store.Store) error {
				letters, err := lettersOf(ctx, s, args[0])
				if err != nil {
					return err
				}
				rows := make([]deadLetter, len(letters))
				for i, l := range letters {
					rows[i] = deadLetter{args[0], l.Entry.String(), l.Position, l.Integration, l.Attempts, l.At.UTC()}
				}
				titles := []string{"ENTRY", "POSITION", "INTEGRATION", "ATTEMPTS", "LAST ATTEMPT"}
				return rowsOf(&o, rows, "no dead letters", titles, func(r deadLetter) []string {
					return []string{r.Entry, fmt.Sprint(r.Position), orNobody(r.Integration), fmt.Sprint(r.Attempts), r.At.Format(time.RFC3339)}
				})
			})
		},
	}
	return s.flagsOf(show, false, o.flags)
}

func newLettersRetry(env environment) *cobra.Command {
	var s storeSettings
	retry := &cobra.Command{
		Use:   "retry NAME [flags]",
		Short: "Have a subscription's handler called again, from its oldest dead letter on",
		Long: `Retry rewinds a subscription to just before its oldest dead letter, and discards its dead
letters. The handler gets that change and all later ones again, with the same ids, as it
must expect at any time. What fails again becomes a dead letter again. To retry nothing
but one change, do by hand what the handler should have done, and discard the letter.

` + lettersHelp,
		Example: `  keyrack letters retry billing`,
		Args:    exactly("NAME"),
		RunE: func(verb *cobra.Command, args []string) error {
			return s.withStore(verb, env, func(ctx context.Context, s store.Store) error {
				n, after, err := atrest.RetryDeadLetters(ctx, s, args[0], 0)
				switch {
				case errors.Is(err, atrest.ErrNoLetters):
					return fmt.Errorf("%s has no dead letters; keyrack letters list shows who has", terminal.Quote(args[0]))
				case err != nil:
					return err
				}
				_, err = fmt.Fprintf(verb.OutOrStdout(), "%s: %d dead letters to be tried again; rewound to position %d\n", terminal.Plain(args[0]), n, after)
				return err
			})
		},
	}
	return s.flagsOf(retry, false)
}

func newLettersDiscard(env environment) *cobra.Command {
	var s storeSettings
	var all bool
	discard := &cobra.Command{
		Use:   "discard NAME [ENTRY]... [flags]",
		Short: "Discard dead letters that somebody has seen to",
		Long: `Discard forgets dead letters of a subscription by their entries, which keyrack letters
show prints, or with --all every one of them.

` + lettersHelp,
		Example: `  keyrack letters discard billing --all`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) == 0 || (len(args) == 1) != all {
				return usage.Errorf("%s takes NAME and either entries or --all", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			return s.withStore(verb, env, func(ctx context.Context, s store.Store) error {
				letters, err := lettersOf(ctx, s, args[0])
				if err != nil {
					return err
				}
				if !all {
					letters = slices.DeleteFunc(letters, func(l atrest.DeadLetter) bool { return !slices.Contains(args[1:], l.Entry.String()) })
					if len(letters) != len(args)-1 {
						return fmt.Errorf("%d of %d entries are dead letters of %s; nothing was discarded", len(letters), len(args)-1, terminal.Quote(args[0]))
					}
				}
				if err := atrest.DiscardDeadLetters(ctx, s, args[0], letters...); err != nil {
					return err
				}
				_, err = fmt.Fprintf(verb.OutOrStdout(), "%s: %d dead letters discarded\n", terminal.Plain(args[0]), len(letters))
				return err
			})
		},
	}
	return s.flagsOf(discard, false, func(flags *pflag.FlagSet) {
		flags.BoolVar(&all, "all", false, "discard all of them")
		_ = flags.SetAnnotation("all", explicit, nil) // the flag is there
	})
}

// rowsOf prints rows for programs, or as a table for people.
func rowsOf[T any](o *output, rows []T, none string, titles []string, cells func(T) []string) error {
	switch {
	case o.format == formatJSON:
		return o.value(rows)
	case o.format == formatJSONL:
		for _, r := range rows {
			if err := o.value(r); err != nil {
				return err
			}
		}
		return nil
	case len(rows) == 0:
		return o.printf("%s\n", none)
	}
	var t terminal.Table
	t.Titles(titles...)
	for _, r := range rows {
		t.Row(cells(r)...)
	}
	return t.Write(o.w, o.columns)
}
