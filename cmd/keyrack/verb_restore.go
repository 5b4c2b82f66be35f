package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/store"
)

func newImport(env environment) *cobra.Command {
	var r rest
	var o output
	imports := &cobra.Command{
		Use:   "import FILE [flags]",
		Short: "Take over the integrations of an export",
		Long: `Import takes over the integrations that keyrack export has written; - is stdin.
The store must be a new one, or have begun with an import of the same export. The
sealing key must open what the export has sealed: KEYRACK_SEALING_KEY or
--sealing-key-file, of which one or more keys may be older than the first.

An integration that the store has already is refused, as is a line that cannot be
read, and the rest goes on. What is refused is listed with its reason, and then the
exit code is 1. As --format jsonl has it, only what is refused is printed.

` + restHelp,
		Example: `  keyrack import --store sqlite:new.db --sealing-key-file keyrack.db.key hotels.jsonl`,
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
			r.sealing.Inline = env(storage.KeyVariable)
			d, err := storage.ParseKept(r.store)
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
	flags := imports.Flags()
	flags.SortFlags = false
	depotFlag(flags, &r.store)
	sealingFlag(flags, &r.sealing.File)
	o.flags(flags)
	return imports
}

// restored is the account of an import.
type restored struct {
	Taken   int           `json:"taken"`
	Refused []refusedLine `json:"refused"`
}

// refusedLine is a line of an export that was not taken over.
type refusedLine struct {
	Line        int    `json:"line"`
	Integration string `json:"integration,omitempty"` // missing where the line cannot be read
	Reason      string `json:"reason"`
}

// restore takes over an export, and gives an account of it line by line.
func restore(ctx context.Context, o *output, s store.Store, ring storage.KeyRing, in io.Reader) error {
	account := restored{Refused: []refusedLine{}}
	for one, err := range keyrack.Restore(ctx, s, ring.Ring, in) {
		if errors.Is(err, keyrack.ErrSealer) {
			return ring.Explain(err, "does not open the export; give the key that it was made with")
		}
		if err != nil {
			return fmt.Errorf("after %d integrations: %w", account.Taken, err)
		}
		if one.Refused == "" {
			account.Taken++
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
		err = o.printf("%d integrations taken over, %d refused\n", account.Taken, len(account.Refused))
	}
	if err != nil {
		return err
	}
	if len(account.Refused) > 0 {
		return exitCode(exitError) // all is said
	}
	return nil
}

// orNobody names an integration; what is unprintable in its id is escaped.
func orNobody(id string) string {
	if id == "" {
		return "(no integration)"
	}
	return terminal.Plain(id)
}
