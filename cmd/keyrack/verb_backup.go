package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/store"
)

func newBackup(env environment) *cobra.Command {
	var r rest
	backup := &cobra.Command{
		Use:   "backup PATH",
		Short: "Copy a SQLite store while it is in use",
		Long: `Backup writes a copy of a SQLite store to a new file, as it is at one moment, while
the receiver goes on working. The copy is complete when the file is there. The
sealing key is not in it: keep that elsewhere, or the copy opens to whoever
finds it.

A PostgreSQL store is backed up by PostgreSQL's own means.

` + restHelp,
		Example: `  keyrack backup /backups/keyrack-$(date +%F).db`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usage.Errorf("%s takes the path of a new file", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			d, err := r.check(env)
			if err != nil {
				return err
			}
			if d.Kind != storage.SQLite {
				return usage.Errorf("only SQLite is backed up by keyrack; for PostgreSQL take pg_dump or its continuous archiving")
			}
			err = d.With(verb.Context(), func(s store.Store) error {
				return s.(interface {
					Backup(ctx context.Context, path string) error
				}).Backup(verb.Context(), args[0])
			})
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("there is something at %s already; backup does not overwrite", args[0])
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
	depotFlag(flags, &r.store)
	return backup
}
