package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/store"
)

// withRack opens a Rack on the store, calls do with it and closes it. The Rack is a guest of
// the application that may run on the store as well.
func (s *storeSettings) withRack(verb *cobra.Command, env environment, r rackSettings, do func(context.Context, *keyrack.Rack) error) error {
	u, err := s.atRest(verb, env)
	if err != nil {
		return err
	}
	return s.withRackOn(verb, u, r, do)
}

// withRackOn is withRack on a store that was found.
func (s *storeSettings) withRackOn(verb *cobra.Command, u storage.URL, r rackSettings, do func(context.Context, *keyrack.Rack) error) error {
	r.options.Guest = true
	all := settings{storeSettings: *s, storeURL: u, rackSettings: r}
	log := slog.New(slog.NewTextHandler(verb.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	rack, closeRack, err := all.openRack(verb.Context(), metrics.New(version()), nil, log)
	if err != nil {
		return err
	}
	return errors.Join(do(verb.Context(), rack), closeRack())
}

func newReseal(env environment) *cobra.Command {
	var s storeSettings
	reseal := &cobra.Command{
		Use:   "reseal [flags]",
		Short: "Seal everything anew under the newest key",
		Long: `Reseal ends the rotation of a sealing key. Give every instance the new key and the old
one first, the new one in front: KEYRACK_SEALING_KEY=NEW,OLD, or both in the key file,
separated by a comma. Then reseal with the same keys. It may run while deliveries come in.
When it is done, the old key can be taken away everywhere, and opens nothing any more but
older backups.

` + storeHelp,
		Example: `  KEYRACK_SEALING_KEY=$NEW,$OLD keyrack reseal`,
		Args:    noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			u, err := s.atRest(verb, env)
			if err != nil {
				return err
			}
			ring, err := s.sealing.Load(u, false)
			if err != nil {
				return err
			}
			n := 0
			err = u.With(verb.Context(), func(s store.Store) (err error) {
				n, err = atrest.Reseal(verb.Context(), s, ring.Ring)
				return err
			})
			if err != nil {
				return fmt.Errorf("after %d values: %w; give the new key and the old ones, and reseal again: it goes on where it stopped", n, err)
			}
			_, err = fmt.Fprintf(verb.OutOrStdout(), "%d values sealed anew; everything is under the first key of %s\n", n, ring.Source)
			return err
		},
	}
	return s.flagsOf(reseal, true)
}

func newForget(env environment) *cobra.Command {
	var s storeSettings
	var enterprise, bodies, yes bool
	forget := &cobra.Command{
		Use:   "forget ID|- [flags]",
		Short: "Erase an integration, an enterprise or the bodies of deliveries",
		Long: `Forget erases everything about an integration: its record, its history, its tokens and
their digests. What is left is an entry in the journal that says so. With --enterprise, ID
is that of an enterprise, and all of its integrations are erased. With --bodies, only the
bodies of the deliveries are, with what they said of persons; verdicts stay. With -, IDs
come from stdin, one a line: such as those that somebody with the webhook's secret made up.

It cannot be undone, except by restoring a backup. Backups and exports are not touched.
Without --yes, forget says what it would erase, and ends with exit code 2.

` + storeHelp,
		Example: `  keyrack forget 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --yes
  keyrack forget 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --bodies --yes
  keyrack forget 8865aa96-f62d-4f9b-a912-ab2100f60f42 --enterprise --yes
  keyrack list --reason unproved | cut -f1 | keyrack forget - --yes`,
		Args: exactly("ID|-"),
		RunE: func(verb *cobra.Command, args []string) error {
			return s.withRack(verb, env, rackSettings{}, func(ctx context.Context, rack *keyrack.Rack) error {
				ids, err := allIDsOf(rack, args[0], enterprise, verb.InOrStdin())
				if err != nil {
					return err
				}
				out, what := verb.OutOrStdout(), "everything about it"
				if bodies {
					what = "the bodies of its deliveries"
				}
				for _, id := range ids {
					if !yes {
						fmt.Fprintf(out, "%s: would erase %s\n", terminal.Plain(id), what)
						continue
					}
					erase := rack.Forget
					if bodies {
						erase = rack.EraseBodies
					}
					if _, err := erase(ctx, id); err != nil {
						return fmt.Errorf("%s: %w", terminal.Plain(id), err)
					}
					if _, err := fmt.Fprintf(out, "%s: erased %s\n", terminal.Plain(id), what); err != nil {
						return err
					}
				}
				if !yes {
					return usage.Errorf("nothing was erased; add --yes to erase it for good")
				}
				return nil
			})
		},
	}
	return s.flagsOf(forget, true, func(flags *pflag.FlagSet) {
		flags.BoolVar(&enterprise, "enterprise", false, "ID is an enterprise: erase all of its integrations")
		flags.BoolVar(&bodies, "bodies", false, "erase only the bodies of deliveries")
		flags.BoolVar(&yes, "yes", false, "really erase")
		_ = flags.SetAnnotation("yes", explicit, nil) // the flag is there
	})
}

// allIDsOf is idsOf, or for "-" that of each line of stdin.
func allIDsOf(rack *keyrack.Rack, id string, enterprise bool, stdin io.Reader) (all []string, err error) {
	if id != "-" {
		return idsOf(rack, id, enterprise)
	}
	for n, line := range files.Lines(stdin, &err) {
		ids, err := idsOf(rack, string(line), enterprise)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		all = append(all, ids...)
	}
	return all, err
}

// idsOf returns the integrations that an argument means.
func idsOf(rack *keyrack.Rack, id string, enterprise bool) (ids []string, err error) {
	if !enterprise {
		if _, ok := rack.Record(id); !ok {
			return nil, fmt.Errorf("there is no integration %s; keyrack list shows all; --enterprise is for an enterprise", terminal.Quote(id))
		}
		return []string{id}, nil
	}
	for _, record := range rack.Enterprise(id) {
		ids = append(ids, record.ID)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("there is no integration of an enterprise %s", terminal.Quote(id))
	}
	return ids, nil
}

func newRetention(env environment) *cobra.Command {
	var s storeSettings
	var r rackSettings
	retention := &cobra.Command{
		Use:   "retention [flags]",
		Short: "Trim the journal now",
		Long: `Retention trims the journal to --retention-age and --retention-entries now, instead of
within a day, which is when a sidecar does. A limit that is left out is the one that serve
was given last. Give serve the same flags, or it keeps more or less the next time. Entries
of the last hour stay, and what a subscription has yet to handle stays as well. Verdicts do
not need the journal.

` + storeHelp,
		Example: `  keyrack retention --retention-age 720h
  keyrack retention --retention-entries 100`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			return s.withRack(verb, env, r, func(ctx context.Context, rack *keyrack.Rack) error {
				n, err := rack.Trim(ctx)
				if err != nil {
					return fmt.Errorf("after %d integrations: %w", n, err)
				}
				_, err = fmt.Fprintf(verb.OutOrStdout(), "%d integrations have fewer entries\n", n)
				return err
			})
		},
	}
	return s.flagsOf(retention, true, r.retentionFlags)
}

func newMigrate(env environment) *cobra.Command {
	var s storeSettings
	var to int
	var validate, dryRun bool
	migrate := &cobra.Command{
		Use:   "migrate [flags]",
		Short: "Bring the schema of PostgreSQL up to date",
		Long: `Migrate brings the schema of a PostgreSQL store to the version that this build opens on,
as a user who may create tables, for sidecars that run with --skip-migrations and may not.
It needs no sealing key. A schema that is newer stays as it is; one that this build cannot
work on is an error.

--dry-run prints the SQL instead, and --validate checks the version and changes nothing: it
ends with exit code 1 unless the schema is up to date. --to goes as far as a version.

` + storeHelp,
		Example: `  keyrack migrate --store postgres://owner@db/app
  keyrack migrate --validate
  keyrack migrate --dry-run > migration.sql`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			u, err := s.find(verb, env, storage.ParseKept)
			if err != nil {
				return err
			}
			m, err := u.Migration(verb.Context())
			if err != nil {
				return err
			}
			defer m.Close(context.WithoutCancel(verb.Context()))
			return runMigration(verb, m, to, validate, dryRun)
		},
	}
	flags := migrate.Flags()
	flags.SortFlags = false
	flags.IntVar(&to, "to", 0, "the `version` to go to (default the newest)")
	_ = flags.SetAnnotation("to", explicit, nil) // KEYRACK_TO is a receiver's URL
	flags.BoolVar(&validate, "validate", false, "check the version, and change nothing")
	flags.BoolVar(&dryRun, "dry-run", false, "print the SQL, and change nothing")
	s.storeFlag(flags)
	flags.StringVar(&s.database.Schema, "schema", "", "`schema` of PostgreSQL that holds everything (default keyrack)")
	return migrate
}

func runMigration(verb *cobra.Command, m *storage.Migration, to int, validate, dryRun bool) error {
	out := verb.OutOrStdout()
	if to == 0 {
		to = m.Newest
	}
	switch {
	case validate && dryRun:
		return usage.Errorf("--validate and --dry-run exclude each other")
	case to < 1 || to > m.Newest:
		return usage.Errorf("--to must be from 1 to %d, the newest version that this build knows", m.Newest)
	case validate && m.Has < to:
		return fmt.Errorf("the schema has version %d, not %d; run keyrack migrate", m.Has, to)
	case dryRun:
		script, err := m.Script(to)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(out, script)
		return err
	case !validate && m.Has < to:
		if err := m.To(verb.Context(), to); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out, "the schema went from version %d to %d\n", m.Has, to)
		return err
	}
	_, err := fmt.Fprintf(out, "the schema has version %d\n", m.Has)
	return err
}
