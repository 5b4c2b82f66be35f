package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/store"
)

func newExport(env environment) *cobra.Command {
	var r rest
	var tokens bool
	var file string
	export := &cobra.Command{
		Use:   "export [flags]",
		Short: "Write all integrations as JSON Lines",
		Long: `Export writes what is known of every integration as JSON Lines, for keyrack import
into a store of any kind. With --tokens the tokens are in it, sealed as they are:
worth nothing without the sealing key. Without, whoever imports knows every
integration's state, but has no token to hand out until Mews sends another. The
journal stays behind.

` + restHelp,
		Example: `  keyrack export --tokens -o hotels.jsonl
  keyrack export | wc -l`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			d, err := r.check(env)
			if err != nil {
				return err
			}
			n := 0
			write := func(w io.Writer) error {
				return d.With(verb.Context(), func(s store.Store) (err error) {
					n, err = keyrack.Export(verb.Context(), s, w, tokens)
					return err
				})
			}
			if file == "" || file == "-" {
				err = write(verb.OutOrStdout())
			} else {
				err = files.Replace(file, write)
			}
			if err != nil {
				return fmt.Errorf("exporting: %w", err)
			}
			_, err = fmt.Fprintf(verb.ErrOrStderr(), "%d integrations\n", n)
			return err
		},
	}
	flags := export.Flags()
	flags.SortFlags = false
	depotFlag(flags, &r.store)
	flags.BoolVar(&tokens, "tokens", false, "with the tokens, sealed")
	flags.StringVarP(&file, "output", "o", "", "`file` to write, for your eyes alone (default: stdout)")
	return export
}
