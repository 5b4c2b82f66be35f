package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

func newDoctor(env environment) *cobra.Command {
	var r storeSettings
	var x checkup
	doctor := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Examine a store and report what is wrong with it",
		Long: `Doctor examines a store: its schema and integrity, the sealing key, whether every token
and every body opens, whether every token has its owner, and whether every record
matches its journal. It changes nothing. If it finds something wrong it lists that and
ends with exit code 1.

` + storeHelp,
		Example: `  keyrack doctor
  keyrack doctor --store sqlite:/backups/keyrack.db --sealing-key-file keyrack.db.key
  keyrack doctor --format jsonl | jq -r 'select(.ok | not)'`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			if err := x.output.open(verb, env); err != nil {
				return err
			}
			d, err := r.atRest(verb, env)
			if err != nil {
				return err
			}
			ring, err := r.sealing.Load(d, false)
			if err != nil {
				return err
			}
			x.ring = ring
			if err := d.With(verb.Context(), func(s store.Store) error { return x.all(verb.Context(), s) }); err != nil {
				return err
			}
			if x.findings > 0 {
				return exitCode(exitError) // everything is printed
			}
			return nil
		},
	}
	flags := doctor.Flags()
	flags.SortFlags = false
	r.storeFlag(flags)
	r.sealingFlag(flags)
	r.databaseFlags(flags)
	x.output.flags(flags)
	return doctor
}

// examined is the result of one check: sound, or a finding.
type examined struct {
	Check       string `json:"check"` // schema, file, keys, journal or record
	OK          bool   `json:"ok"`
	Integration string `json:"integration,omitempty"` // of a finding
	Detail      string `json:"detail,omitempty"`      // what is wrong; of what is sound, how it was looked at
}

// checkup is one examination of a store.
type checkup struct {
	output   output
	ring     storage.KeyRing
	results  []examined
	findings int
}

// note keeps a result, and prints it unless all results are printed as one value.
func (x *checkup) note(e examined) error {
	if !e.OK {
		x.findings++
	}
	switch {
	case x.output.format == formatJSON:
		x.results = append(x.results, e)
		return nil
	case x.output.format == formatJSONL:
		return x.output.value(e)
	case !e.OK:
		where := e.Check
		if e.Integration != "" {
			where = "integration " + terminal.Plain(e.Integration)
		}
		return x.output.printf("FINDING  %s: %s\n", where, e.Detail)
	}
	line := fmt.Sprintf("%-8s ok", e.Check)
	if e.Detail != "" {
		line += ", " + e.Detail
	}
	return x.output.printf("%s\n", line)
}

// close prints the results if they are printed as one value.
func (x *checkup) close() error {
	if x.output.format != formatJSON {
		return nil
	}
	return x.output.value(struct {
		OK      bool       `json:"ok"`
		Results []examined `json:"results"`
	}{x.findings == 0, x.results})
}

// all checks everything. That the store opened shows that its schema is ours.
func (x *checkup) all(ctx context.Context, s store.Store) error {
	if err := x.note(examined{Check: "schema", OK: true}); err != nil {
		return err
	}
	if err := x.integrity(ctx, s); err != nil {
		return err
	}
	if err := x.contents(ctx, s); err != nil {
		return err
	}
	return x.close()
}

// integrity has the store check itself, if it can.
func (x *checkup) integrity(ctx context.Context, s store.Store) error {
	checker, ok := s.(interface{ Check(context.Context) error })
	if !ok {
		return nil
	}
	err := checker.Check(ctx)
	if unsound := new(sqlitestore.CheckError); errors.As(err, &unsound) {
		for _, problem := range unsound.Problems {
			if err := x.note(examined{Check: "file", Detail: terminal.Plain(problem)}); err != nil {
				return err
			}
		}
		return nil
	}
	if errors.Is(err, sqlitestore.ErrCorrupt) {
		return x.note(examined{Check: "file", Detail: said(err)})
	}
	if err != nil {
		return fmt.Errorf("checking the integrity: %w", err)
	}
	return x.note(examined{Check: "file", OK: true})
}

// contents checks keys, tokens, records and journal.
func (x *checkup) contents(ctx context.Context, s store.Store) error {
	before, integrations := x.findings, 0
	for _, err := range s.Scan(ctx, "") {
		if err != nil {
			return x.note(examined{Check: "record", Detail: "integrations cannot be read: " + said(err)})
		}
		integrations++
	}
	for f, err := range atrest.Examine(ctx, s, x.ring.Ring) {
		finding := examined{Check: "record", Integration: f.Integration, Detail: f.Problem}
		switch {
		case errors.Is(err, store.ErrNotFound):
			return x.note(examined{Check: "keys", OK: true, Detail: "none: the store is new"})
		case errors.Is(err, keyrack.ErrSealer):
			return x.note(examined{Check: "keys", Detail: said(x.ring.Explain(err, storage.WrongKey))})
		case err != nil && ctx.Err() != nil:
			return err
		case err != nil:
			finding.Detail = said(err)
		}
		if err := x.note(finding); err != nil {
			return err
		}
	}
	if x.findings > before {
		return nil
	}
	if err := x.note(examined{Check: "keys", OK: true, Detail: "from " + x.ring.Source}); err != nil {
		return err
	}
	return x.note(examined{Check: "journal", OK: true,
		Detail: fmt.Sprintf("every record matches its journal; integrations: %d", integrations)})
}
