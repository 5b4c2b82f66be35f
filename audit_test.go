package keyrack_test

import (
	"bytes"
	"context"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// tb is what checks need of a *testing.T, a *testing.B or a *rapid.T.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// audit holds a store to what must be true of it at any time, whatever has
// happened, and the Racks on it to the store.
func audit(t tb, s store.Store, racks ...*keyrack.Rack) {
	t.Helper()
	ctx := context.Background()
	owners := map[lifecycle.Digest]string{}
	for stored, err := range s.Scan(ctx, "") {
		if err != nil {
			t.Fatalf("Scan: %v", err)
		}
		stored.Record, stored.Base = stamp.Strip(stored.Record), stamp.Strip(stored.Base)
		versions := refold(t, s, stored)
		record := auditRecord(t, stored, owners, s)
		for i, r := range racks {
			known, ok := r.Record(stored.Integration)
			if !ok {
				continue // it has not heard of it yet
			}
			if known.ID != stored.Integration {
				if record.Alias != "" && record.Alias != known.ID {
					t.Errorf("rack %d says that %s is %s, the store says %s", i, stored.Integration, known.ID, record.Alias)
				}
				continue // under its name
			}
			if known.Version > stored.Version {
				t.Errorf("rack %d is ahead of the store: %s is at version %d there and at %d here", i, stored.Integration, stored.Version, known.Version)
			} else if want, ok := versions[known.Version]; ok && !bytes.Equal(want, lifecycle.AppendRecord(nil, known)) {
				t.Errorf("rack %d is not the fold of the journal: %s at version %d:\n%s", i, stored.Integration, known.Version,
					cmp.Diff(string(want), string(lifecycle.AppendRecord(nil, known))))
			}
			if record.Enterprise.ID != "" && known.Enterprise.ID != "" && known.Enterprise.ID != record.Enterprise.ID {
				t.Errorf("rack %d has %s in another enterprise than the store", i, stored.Integration)
			}
		}
	}
	ids := map[store.EntryID]bool{}
	last := store.Position(0)
	first, _, err := s.Bounds(ctx)
	if err != nil {
		t.Fatalf("Bounds: %v", err)
	}
	for e, err := range s.Journal(ctx, first) {
		if err != nil {
			t.Fatalf("Journal: %v", err)
		}
		if e.Position <= last || ids[e.ID] {
			t.Errorf("the journal goes back, or repeats itself, at position %d", e.Position)
		}
		last, ids[e.ID] = e.Position, true
	}
}

// refold folds an integration's journal from its base, compares every decision
// and the stored record with what comes out, and returns the record's encoding
// at each version.
func refold(t tb, s store.Store, stored store.Stored) map[uint64][]byte {
	t.Helper()
	record := lifecycle.Record{ID: stored.Integration}
	if stored.BaseVersion > 0 {
		var err error
		if record, err = lifecycle.ParseRecord(stored.Base); err != nil {
			t.Fatalf("base of %s: %v", stored.Integration, err)
		}
	}
	versions := map[uint64][]byte{stored.BaseVersion: stored.Base}
	for e, err := range s.History(context.Background(), stored.Integration, store.EntryID{}) {
		if err != nil {
			t.Fatalf("History: %v", err)
		}
		if e.Version <= stored.BaseVersion {
			continue // the entry that came with the base
		}
		if e.Version <= stored.BaseVersion {
			continue // the entry that came with the base
		}
		if e.Version != record.Version+1 {
			t.Errorf("%s has a gap in its history: %d after %d", stored.Integration, e.Version, record.Version)
		}
		entry, err := keyrack.ParseEntry(e)
		if err != nil {
			t.Fatalf("entry: %v", err)
		}
		if again := lifecycle.AppendEvidence(nil, entry.Evidence); !bytes.Equal(again, e.Evidence) {
			t.Errorf("evidence is not written as it was read:\n%s\n%s", e.Evidence, again)
		}
		var decision lifecycle.Decision
		record, decision = record.Apply(entry.Evidence)
		if diff := cmp.Diff(decision, entry.Decision); diff != "" {
			t.Errorf("%s version %d was not decided so (-again +journal):\n%s", stored.Integration, e.Version, diff)
		}
		if entry.At != entry.Evidence.At.Time() {
			t.Errorf("%s version %d: the entry's time is not its evidence's", stored.Integration, e.Version)
		}
		versions[record.Version] = lifecycle.AppendRecord(nil, record)
	}
	if fold := lifecycle.AppendRecord(nil, record); !bytes.Equal(fold, stored.Record) || record.Version != stored.Version {
		t.Errorf("%s is not the fold of its journal (-fold +stored):\n%s", stored.Integration, cmp.Diff(string(fold), string(stored.Record)))
	}
	return versions
}

// auditRecord checks what must be true of one record, and who owns its digests.
func auditRecord(t tb, stored store.Stored, owners map[lifecycle.Digest]string, s store.Store) lifecycle.Record {
	t.Helper()
	record, err := lifecycle.ParseRecord(stored.Record)
	if err != nil {
		t.Fatalf("record of %s: %v", stored.Integration, err)
	}
	current := 0
	for _, k := range record.Keys {
		if k.Status == lifecycle.Current {
			current++
		}
		if other, ok := owners[k.Digest]; ok {
			t.Errorf("%s and %s have the same token", other, stored.Integration)
		}
		owners[k.Digest] = stored.Integration
		if owner, err := s.Owner(context.Background(), k.Digest); err != nil || owner != stored.Integration {
			t.Errorf("a token of %s belongs to %q: %v", stored.Integration, owner, err)
		}
	}
	if current > 1 {
		t.Errorf("%s has %d current tokens", stored.Integration, current)
	}
	if record.State == lifecycle.Deleted && current > 0 {
		t.Errorf("%s is deleted and has a current token", stored.Integration)
	}
	return record
}

// answers is all that can be asked of a Rack, as of now.
type answers struct {
	Len          int
	Records      map[string]string
	Integrations map[string]keyrack.Verdict
	Tokens       map[string]keyrack.Verdict
	Enterprises  map[string][]string
	HandedOut    map[string]string
}

// ask asks a Rack everything about some tokens, enterprises and all its integrations.
func ask(r *keyrack.Rack, tokens, enterprises []string) answers {
	a := answers{
		Len: r.Len(), Records: map[string]string{}, Integrations: map[string]keyrack.Verdict{},
		Tokens: map[string]keyrack.Verdict{}, Enterprises: map[string][]string{}, HandedOut: map[string]string{},
	}
	for record := range r.Integrations() {
		a.Records[record.ID] = string(lifecycle.AppendRecord(nil, record))
		a.Integrations[record.ID] = r.CheckIntegration(record.ID)
		token, v, err := r.Token(context.Background(), record.ID)
		a.HandedOut[record.ID] = tokenName(token, tokens)
		if err != nil {
			a.HandedOut[record.ID] = err.Error()
		} else if v != a.Integrations[record.ID] {
			a.HandedOut[record.ID] += " with another verdict"
		}
	}
	for _, name := range tokens {
		a.Tokens[name] = r.Check(tokenText(name))
	}
	for _, name := range enterprises {
		for _, record := range r.Enterprise(enterpriseID(name)) {
			a.Enterprises[name] = append(a.Enterprises[name], record.ID)
		}
		slices.Sort(a.Enterprises[name])
	}
	return a
}

// tokenName finds the name by which a test calls a token.
func tokenName(token keyrack.Token, names []string) string {
	for _, name := range names {
		if token.Reveal() == tokenText(name) {
			return name
		}
	}
	return "a token that no test made up"
}
