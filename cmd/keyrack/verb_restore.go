package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/store"
)

func newRestore(env environment) *cobra.Command {
	var r storeSettings
	var o output
	verb := &cobra.Command{
		Use:   "restore FILE [flags]",
		Short: "Restore the integrations of an export",
		Long: `Restore adds the integrations of a file that keyrack export wrote; - is stdin. The
store must be new, or have been created by restoring the same export. The sealing key,
KEYRACK_SEALING_KEY or --sealing-key-file, must open the tokens of the export: it may
hold several keys.

An integration that the store already has is refused, and so is a line that cannot be
read; the others are restored all the same. Restore prints what it refused, with the
reason, and then ends with exit code 1. With --format jsonl it prints only that.

` + storeHelp,
		Example: `  keyrack restore --store sqlite:new.db --sealing-key-file keyrack.db.key hotels.jsonl`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Errorf("%s takes one file; - is stdin", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) (err error) {
			if err := o.open(verb, env); err != nil {
				return err
			}
			d, err := r.find(verb, env, storage.ParseKept)
			if err != nil {
				return err
			}
			ring, err := r.sealing.Load(d, false)
			if err != nil {
				return err
			}
			in := verb.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			return d.With(verb.Context(), func(s store.Store) error { return restore(verb.Context(), &o, s, ring, in) })
		},
	}
	flags := verb.Flags()
	flags.SortFlags = false
	r.storeFlag(flags)
	r.sealingFlag(flags)
	r.databaseFlags(flags)
	o.flags(flags)
	return verb
}

// restored is what became of an export.
type restored struct {
	Restored int           `json:"restored"`
	Refused  []refusedLine `json:"refused"`
}

// refusedLine is a line of an export that was not restored.
type refusedLine struct {
	Line        int    `json:"line"`
	Integration string `json:"integration,omitempty"` // missing where the line cannot be read
	Reason      string `json:"reason"`
}

// restore restores an export and reports on it line by line.
func restore(ctx context.Context, o *output, s store.Store, ring storage.KeyRing, in io.Reader) error {
	account := restored{Refused: []refusedLine{}}
	for one, err := range atrest.Restore(ctx, s, ring.Ring, in) {
		if errors.Is(err, keyrack.ErrSealer) {
			return ring.Explain(err, "does not open the export; give the key that it was made with")
		}
		if err != nil {
			return fmt.Errorf("after %d integrations: %w", account.Restored, err)
		}
		if one.Refused == "" {
			account.Restored++
			continue
		}
		line := refusedLine{one.Line, one.Integration, one.Refused}
		account.Refused = append(account.Refused, line)
		switch o.format {
		case formatJSONL:
			err = o.value(line)
		case formatText:
			err = o.printf("line %d: %s: %s\n", line.Line, orNobody(line.Integration), line.Reason)
		}
		if err != nil {
			return err
		}
	}
	var err error
	switch o.format {
	case formatJSON:
		err = o.value(account)
	case formatText:
		err = o.printf("%d integrations restored, %d refused\n", account.Restored, len(account.Refused))
	}
	if err != nil {
		return err
	}
	if len(account.Refused) > 0 {
		return exitCode(exitError) // everything is printed
	}
	return nil
}

// orNobody names an integration.
func orNobody(id string) string {
	if id == "" {
		return "(no integration)"
	}
	return terminal.Plain(id)
}
