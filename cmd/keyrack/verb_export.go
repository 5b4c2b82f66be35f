package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
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
		Short: "Back up a SQLite store while it is in use, or accept a backup",
		Long: `Backup writes a copy of a SQLite store to a new file, as of one moment, while the
sidecar keeps working. The copy is complete as soon as the file exists. It does not hold
the sealing key: keep the key somewhere else, so that nobody who finds the copy can open
its tokens.

Back up a PostgreSQL store with the tools of PostgreSQL. Keyrack backup accept puts a
backup in place, and tells the sidecars that the store went back.

` + storeHelp,
		Example: `  keyrack backup /backups/keyrack-$(date +%F).db
  keyrack backup accept /backups/keyrack-2026-11-01.db`,
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
	backup.AddCommand(newBackupAccept(env))
	return backup
}

func newBackupAccept(env environment) *cobra.Command {
	var s storeSettings
	accept := &cobra.Command{
		Use:   "accept [FILE] [flags]",
		Short: "Put a backup in place, so that nothing of it is taken for the present",
		Long: `Accept puts FILE, a backup of a SQLite store, in the place of the store that --store
names. End the sidecar first. What was there is kept beside it under another name, and FILE
stays as it is. The store gets a new incarnation, so that a sidecar that still knows the
former one reads everything anew.

Without FILE, accept does the same with what the store holds already: a dump that psql or
pg_restore put into PostgreSQL, or what .restore of SQLite did. Sidecars may run meanwhile.

Nobody knows what happened after the backup was made. So every integration is Unknown
(forked) but those that are deleted, until Mews's answer to a probe, a 200 of your own
calls, or a person says how it is. A sidecar that asks Mews asks about all of them anew.
Where none does, say that all is as it was with keyrack settle --all --as-of-backup. An
accept that is cut off is run again.

` + storeHelp,
		Example: `  keyrack backup accept /backups/keyrack-2026-11-01.db
  pg_restore --dbname app keyrack.dump && keyrack backup accept --store postgres://db/app`,
		Args:                  atMostOne("FILE"),
		DisableFlagsInUseLine: true,
		RunE: func(verb *cobra.Command, args []string) error {
			find, file := storage.AtRest, strings.Join(args, "")
			if file != "" {
				find = storage.ParseKept
			}
			u, err := s.find(verb, env, find)
			if err != nil {
				return err
			}
			n, kept := 0, ""
			mark := func(u storage.URL) (err error) {
				n, err = s.accept(verb, u)
				return err
			}
			switch {
			case file == "":
				err = mark(u)
			case u.Kind == storage.SQLite:
				if s.sealing, err = s.sealing.Of(u); err == nil {
					kept, err = u.Accept(verb.Context(), file, mark)
				}
			default:
				err = usage.Errorf("a FILE is for SQLite stores; put a dump back with psql or pg_restore, and accept it without FILE")
			}
			if err != nil {
				return err
			}
			out := verb.OutOrStdout()
			if kept != "" {
				fmt.Fprintf(out, "what was there is kept: %s\n", kept)
			}
			_, err = fmt.Fprintf(out, "the backup is in place; integrations that are Unknown until somebody says how they are: %d\n", n)
			return err
		},
	}
	return s.flagsOf(accept, true)
}

// accept gives a store a new incarnation, and makes every integration Unknown that is not
// deleted. It returns how many they are.
func (s *storeSettings) accept(verb *cobra.Command, u storage.URL) (n int, err error) {
	err = u.With(verb.Context(), func(one store.Store) error { return one.Renew(verb.Context()) })
	if err != nil {
		return 0, fmt.Errorf("the store gets no new incarnation: %w", err)
	}
	err = s.withRackOn(verb, u, rackSettings{}, func(ctx context.Context, rack *keyrack.Rack) error {
		for one := range rack.Summaries() {
			if one.Verdict.Reason == lifecycle.ReasonDeleted {
				continue
			}
			_, err := rack.Act(ctx, keyrack.Act{
				Kind: lifecycle.KindFork, Integration: one.Integration.ID, By: "command-line",
				Who: keyrack.NewToken(verb.CommandPath()), Why: keyrack.NewToken("a backup was put in place"),
			})
			if err != nil {
				return fmt.Errorf("after %d integrations: %w; accept the backup again", n, err)
			}
			n++
		}
		return nil
	})
	return n, err
}
