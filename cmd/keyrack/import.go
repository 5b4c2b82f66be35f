package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/store"
)

func newImport(env environment) *cobra.Command {
	var r rest
	imports := &cobra.Command{
		Use:   "import FILE",
		Short: "Take over the integrations of an export",
		Long: `Import takes over the integrations that keyrack export has written; - is stdin.
The store must be a new one, or have begun with an import of the same export. The
sealing key must open what the export has sealed: KEYRACK_SEALING_KEY or
--sealing-key-file, of which one or more keys may be older than the first.

An integration that the store has already is refused, as is a line that cannot be
read, and the rest goes on. What is refused is listed with its reason, and then the
exit code is 1.

` + restHelp,
		Example: `  keyrack import --store sqlite:new.db --sealing-key-file keyrack.db.key hotels.jsonl`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("%s takes one file; - is stdin", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) (err error) {
			r.sealing.inline = env(sealingVariable)
			d, err := parseDepot(r.store)
			if err == nil && d.kind == inMemory {
				err = usagef("what is in memory is in another process; name a store with --store or KEYRACK_STORE")
			}
			if err != nil {
				return err
			}
			ring, err := r.sealing.ring(d, false)
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
			return d.with(verb.Context(), func(s store.Store) error { return restore(verb, s, ring, in) })
		},
	}
	flags := imports.Flags()
	flags.SortFlags = false
	depotFlag(flags, &r.store)
	sealingFlag(flags, &r.sealing.file)
	return imports
}

// restore takes over an export, and gives an account of it line by line.
func restore(verb *cobra.Command, s store.Store, ring keyRing, in io.Reader) error {
	taken, refused := 0, 0
	for one, err := range keyrack.Restore(verb.Context(), s, ring.Ring, in) {
		if errors.Is(err, keyrack.ErrSealer) {
			return fmt.Errorf("the key of %s does not open the export; give the one that it was made under: %w", ring.source, err)
		}
		if err != nil {
			return fmt.Errorf("after %d integrations: %w", taken, err)
		}
		if one.Refused == "" {
			taken++
			continue
		}
		refused++
		if _, err := fmt.Fprintf(verb.OutOrStdout(), "line %d: %s: %s\n", one.Line, orNobody(one.Integration), one.Refused); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(verb.OutOrStdout(), "%d integrations taken over, %d refused\n", taken, refused); err != nil {
		return err
	}
	if refused > 0 {
		return exitCode(exitError) // all is said
	}
	return nil
}

// orNobody names an integration; what is unprintable in its id is escaped.
func orNobody(id string) string {
	if id == "" {
		return "(no integration)"
	}
	return plain(id)
}
