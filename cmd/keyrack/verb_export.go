package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/store"
)

func newExport(env environment) *cobra.Command {
	var r storeSettings
	var tokens bool
	var file string
	export := &cobra.Command{
		Use:   "export [flags]",
		Short: "Write all integrations as JSON Lines",
		Long: `Export writes every integration as JSON Lines, for keyrack restore into a store of any
kind. With --tokens it includes the tokens, sealed: they cannot be opened without the
sealing key. Without --tokens, the restored store knows the state of every integration
but has no token to issue until Mews sends another. The journal is not exported.

` + storeHelp,
		Example: `  keyrack export --tokens -o hotels.jsonl
  keyrack export | wc -l`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			d, err := r.atRest(verb, env)
			if err != nil {
				return err
			}
			n := 0
			write := func(w io.Writer) error {
				return d.With(verb.Context(), func(s store.Store) (err error) {
					n, err = atrest.Export(verb.Context(), s, w, tokens)
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
	r.storeFlag(flags)
	r.databaseFlags(flags)
	flags.BoolVar(&tokens, "tokens", false, "include the tokens, sealed")
	flags.StringVarP(&file, "output", "o", "", "`file` to write, readable only by you (default: stdout)")
	return export
}
