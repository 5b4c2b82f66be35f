package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

func newDoctor(env environment) *cobra.Command {
	var r rest
	doctor := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Examine a store, and say what is wrong with it",
		Long: `Doctor examines a store: its schema and integrity, the sealing key, that every token
and every body opens, that every token has its owner, and that every record is what
its journal folds to. It changes nothing. Findings are listed, and then the exit
code is 1.

` + restHelp,
		Example: `  keyrack doctor
  keyrack doctor --store sqlite:/backups/keyrack.db --sealing-key-file keyrack.db.key`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			d, err := r.check(env)
			if err != nil {
				return err
			}
			ring, err := r.sealing.ring(d, false)
			if err != nil {
				return err
			}
			x := checkup{verb: verb, ring: ring}
			if err := d.with(verb.Context(), x.all); err != nil {
				return err
			}
			if x.findings > 0 {
				return exitCode(exitError) // all is said
			}
			return nil
		},
	}
	flags := doctor.Flags()
	flags.SortFlags = false
	depotFlag(flags, &r.store)
	sealingFlag(flags, &r.sealing.file)
	return doctor
}

// checkup is one examination of a store.
type checkup struct {
	verb     *cobra.Command
	ring     keyRing
	findings int
}

func (x *checkup) say(format string, args ...any) error {
	_, err := fmt.Fprintf(x.verb.OutOrStdout(), format, args...)
	return err
}

func (x *checkup) find(format string, args ...any) error {
	x.findings++
	return x.say("FINDING  "+format+"\n", args...)
}

// all examines everything. That the store opened shows that its schema is ours.
func (x *checkup) all(s store.Store) error {
	if err := x.say("schema   ok\n"); err != nil {
		return err
	}
	if err := x.integrity(s); err != nil {
		return err
	}
	return x.contents(s)
}

// integrity has the store examine itself, if it can.
func (x *checkup) integrity(s store.Store) error {
	checker, ok := s.(interface{ Check(context.Context) error })
	if !ok {
		return nil
	}
	err := checker.Check(x.verb.Context())
	if unsound := new(sqlitestore.CheckError); errors.As(err, &unsound) {
		for _, problem := range unsound.Problems {
			if err := x.find("integrity: %s", plain(problem)); err != nil {
				return err
			}
		}
		return nil
	}
	if errors.Is(err, sqlitestore.ErrCorrupt) {
		return x.find("integrity: %v", err)
	}
	if err != nil {
		return fmt.Errorf("checking the integrity: %w", err)
	}
	return x.say("file     ok\n")
}

// contents examines keys, tokens, records and journal.
func (x *checkup) contents(s store.Store) error {
	before, integrations := x.findings, 0
	for _, err := range s.Scan(x.verb.Context(), "") {
		if err != nil {
			return x.find("integrations cannot be read: %v", err)
		}
		integrations++
	}
	for f, err := range keyrack.Examine(x.verb.Context(), s, x.ring.Ring) {
		switch {
		case errors.Is(err, store.ErrNotFound):
			return x.say("keys     none: the store is new\n")
		case errors.Is(err, keyrack.ErrSealer):
			return x.find("keys: %v", wrongKey(err, x.ring))
		case err != nil && x.verb.Context().Err() != nil:
			return err
		case err != nil:
			return x.find("%v", err)
		case f.Integration != "":
			err = x.find("integration %s: %s", plain(f.Integration), f.Problem)
		default:
			err = x.find("%s", f.Problem)
		}
		if err != nil {
			return err
		}
	}
	if x.findings > before {
		return nil
	}
	if err := x.say("keys     ok, of %s\n", x.ring.source); err != nil {
		return err
	}
	return x.say("journal  ok: of %d integrations, each is what its journal folds to\n", integrations)
}
