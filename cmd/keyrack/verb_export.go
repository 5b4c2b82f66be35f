package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
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

func newBackup(env environment) *cobra.Command {
	var r storeSettings
	backup := &cobra.Command{
		Use:   "backup PATH",
		Short: "Back up a SQLite store while it is in use",
		Long: `Backup writes a copy of a SQLite store to a new file, as of one moment, while the
sidecar keeps working. The copy is complete as soon as the file exists. It does not hold
the sealing key: keep the key somewhere else, so that nobody who finds the copy can open
its tokens.

Back up a PostgreSQL store with the tools of PostgreSQL.

` + storeHelp,
		Example: `  keyrack backup /backups/keyrack-$(date +%F).db`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usage.Errorf("%s takes the path of a new file", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			d, err := r.atRest(verb, env)
			if err != nil {
				return err
			}
			if d.Kind != storage.SQLite {
				return usage.Errorf("backup is for SQLite stores; for PostgreSQL use pg_dump or continuous archiving")
			}
			err = d.With(verb.Context(), func(s store.Store) error {
				return s.(interface {
					Backup(ctx context.Context, path string) error
				}).Backup(verb.Context(), args[0])
			})
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s already exists, and backup does not overwrite; choose another path", args[0])
			}
			if err != nil {
				return fmt.Errorf("backing up: %w", err)
			}
			_, err = fmt.Fprintf(verb.OutOrStdout(), "%s is complete\n", args[0])
			return err
		},
	}
	flags := backup.Flags()
	flags.SortFlags = false
	r.storeFlag(flags)
	return backup
}
