package atrest_test

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// altered is a store that somebody has changed who does not have the sealing key.
type altered struct {
	store.Store
	record func(*store.Stored) bool // false: it was taken away
	entry  func(*store.Entry) bool
}

func (s *altered) Load(ctx context.Context, id string) (store.Stored, error) {
	in, err := s.Store.Load(ctx, id)
	if err == nil && s.record != nil && !s.record(&in) {
		return store.Stored{}, store.ErrNotFound
	}
	return in, err
}

func (s *altered) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return alter(s.Store.Scan(ctx, after), s.record)
}

func (s *altered) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return alter(s.Store.Journal(ctx, after), s.entry)
}

func (s *altered) History(ctx context.Context, id string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return alter(s.Store.History(ctx, id, after), s.entry)
}

func alter[T any](all iter.Seq2[T, error], change func(*T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for one, err := range all {
			if err == nil && change != nil && !change(&one) {
				continue
			}
			if !yield(one, err) {
				return
			}
		}
	}
}

// problems returns what Examine finds in a store, a line each.
func (f fixture) problems(s store.Store) string {
	f.Helper()
	var all []string
	for finding, err := range atrest.Examine(f.Context(), s, f.sealer) {
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, finding.Integration+": "+finding.Problem)
	}
	return strings.Join(all, "\n")
}

// grown is a store in which something of every kind has happened.
func grown(t *testing.T) (f fixture, tail store.EntryID) {
	f = fixture{t, memstore.New(nil), seal.Ephemeral()}
	b := f.keeping(keyrack.Retention{Entries: 3})
	b.deliver(creation("a", "k", lifecycle.Yes))
	b.deliver(creation("b", "l", lifecycle.Yes))
	b.deliver(creation("c", "m", lifecycle.Yes))
	for i := range 4 {
		b.toggle("a", i%2 == 1)
		b.toggle("b", i%2 == 1)
	}
	b.deliver(rotation("c", "n"))
	time.Sleep(2 * time.Hour)
	if n, err := b.Trim(t.Context()); err != nil || n != 2 {
		t.Fatalf("Trim: %d, %v", n, err)
	}
	b.deliver(creation("d", "o", lifecycle.Yes))
	if _, err := b.EraseBodies(t.Context(), named("d").ID); err != nil {
		t.Fatal(err)
	}
	b.deliver(creation("e", "p", lifecycle.Yes))
	if _, err := b.Forget(t.Context(), named("e").ID); err != nil {
		t.Fatal(err)
	}
	b.deliver(events.Event{Action: lifecycle.IntegrationEnabled, Integration: named("c")})
	b.toggle("a", false)
	tail = b.deliver(events.Event{Action: lifecycle.IntegrationEnabled, Integration: named("b")})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	f.examined() // all of this is as it should be
	return f, tail
}

// Whatever somebody without the sealing key changes, moves or takes away is found, and
// under the name of the integration that it is about.
func TestChangesAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, tail := grown(t)
		a, c := named("a").ID, named("c").ID
		of := func(id string, change func(*store.Stored)) *altered {
			return &altered{Store: f.store, record: func(in *store.Stored) bool {
				if in.Integration == id {
					change(in)
				}
				return true
			}}
		}
		entries := func(change func(*store.Entry) bool) *altered { return &altered{Store: f.store, entry: change} }
		other, err := f.store.Load(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		history := slices.Collect(func(yield func(store.Entry) bool) {
			for e := range f.store.History(t.Context(), a, store.EntryID{}) {
				if !yield(e) {
					return
				}
			}
		})
		for name, change := range map[string]struct {
			store *altered
			says  string
		}{
			"revived": {of(a, func(in *store.Stored) {
				in.Record = bytes.ReplaceAll(in.Record, []byte(`"disabled"`), []byte(`"enabled"`))
			}), a + ": the record: keyrack: the stamp does not fit"},
			"another's record": {of(a, func(in *store.Stored) { in.Record = other.Record }), a + ": the record: keyrack: the stamp does not fit"},
			"another version":  {of(a, func(in *store.Stored) { in.Version++ }), a + ": the record: keyrack: the stamp does not fit"},
			"another entry":    {of(a, func(in *store.Stored) { in.Last = tail }), a + ": the record: keyrack: the stamp does not fit"},
			"a changed base": {of(a, func(in *store.Stored) {
				in.Base = bytes.ReplaceAll(in.Base, []byte("hotel"), []byte("motel"))
				in.Base[60] ^= 1
			}), a + ": the base of the journal: keyrack: the stamp does not fit"},
			"another version of the base": {of(a, func(in *store.Stored) { in.BaseVersion-- }), a + ": the base of the journal: keyrack: the stamp does not fit"},
			"the base as the record":      {of(a, func(in *store.Stored) { in.Record, in.Version = in.Base, in.BaseVersion }), a + ": the record: keyrack: the stamp does not fit"},
			"a changed evidence": {entries(func(e *store.Entry) bool {
				e.Evidence = bytes.ReplaceAll(e.Evidence, []byte("IntegrationDisabled"), []byte("IntegrationEnabled"))
				return true
			}), ": the stamp does not fit"},
			"a changed time": {entries(func(e *store.Entry) bool {
				if e.ID == tail {
					e.At++
				}
				return true
			}), "entry " + tail.String() + ": keyrack: the stamp does not fit"},
			"moved to another": {entries(func(e *store.Entry) bool {
				if e.ID == history[0].ID {
					e.Integration = c
				}
				return true
			}), "entry " + history[0].ID.String() + ": keyrack: the stamp does not fit"},
			"taken out in the middle":  {entries(func(e *store.Entry) bool { return e.ID != history[1].ID }), a + ": the record is not the fold"},
			"taken from the beginning": {entries(func(e *store.Entry) bool { return e.ID != history[0].ID }), a + ": "},
			"taken from the end":       {entries(func(e *store.Entry) bool { return e.ID != tail }), named("b").ID + ": the record is not the fold"},
			"in another order": {entries(func(e *store.Entry) bool {
				if e.ID == history[1].ID {
					e.Position = 1
				}
				return true
			}), "entry " + history[1].ID.String() + " is out of its order"},
			"an integration taken away": {&altered{Store: f.store, record: func(in *store.Stored) bool { return in.Integration != a }}, a + ": the journal has entries of it, and the store does not have it"},
		} {
			if got := f.problems(change.store); !strings.Contains(got, strings.TrimPrefix(change.says, ": ")) {
				t.Errorf("%s: found is\n%s\nwant %q", name, got, change.says)
			}
		}
		f.examined()
	})
}

// What was sealed with an entry, and is gone though nobody erased it, is found; so is a
// token that the record does not know.
func TestSealedValuesAreMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, tail := grown(t)
		c := named("c").ID
		stored, err := f.store.Load(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		record, err := lifecycle.ParseRecord(stored.Record)
		if err != nil {
			t.Fatal(err)
		}
		current, _ := record.CurrentKey()
		if err := f.store.Shred(t.Context(), store.Ref{Entry: tail}, store.Ref{Integration: c, Digest: current.Digest}); err != nil {
			t.Fatal(err)
		}
		keys, err := digestkey.Open(t.Context(), f.store, f.sealer)
		if err != nil {
			t.Fatal(err)
		}
		stray := store.Ref{Integration: c, Digest: keys.Digester.Sum("stray")}
		sealed, err := binding.Seal(f.sealer, stray, []byte("stray"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.store.Commit(t.Context(), store.Commit{
			Entry:  store.Entry{ID: store.NewEntryID(time.Now()), Integration: c, Evidence: []byte("{}"), Decision: []byte("{}")},
			Expect: stored.Version, Record: stored.Record, Claim: []store.Claim{{Digest: stray.Digest, Sealed: sealed}},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := f.problems(&altered{Store: f.store, entry: func(e *store.Entry) bool { return !bytes.Equal(e.Evidence, []byte("{}")) }})
		for _, want := range []string{
			named("b").ID + ": the body of entry " + tail.String() + " is gone",
			c + ": the sealed token " + current.Digest.String() + " is gone",
			c + ": a token (" + stray.Digest.String() + ") lies in the store that the record does not know",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("nothing says %q among:\n%s", want, got)
			}
		}
	})
}

// Entries of no integration have stamps of their own, and the keys of a store are missed.
func TestStoreAsAWholeIsExamined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := grown(t)
		b := f.open()
		if _, err := b.Deliver(t.Context(), []byte(`{"Action":"IntegrationMystery","Data":{}}`)); err != nil {
			t.Fatal(err)
		}
		b.Close()
		f.examined()
		got := f.problems(&altered{Store: f.store, entry: func(e *store.Entry) bool {
			if e.Integration == "" {
				e.At++
			}
			return true
		}})
		if !strings.Contains(got, "the stamp does not fit") || !strings.HasPrefix(got, ": ") {
			t.Errorf("an entry of no integration was changed, and found is\n%s", got)
		}
		stamps, err := f.store.Sealed(t.Context(), digestkey.StampRef)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.store.Reseal(t.Context(), digestkey.StampRef, stamps, append([]byte{2}, stamps...)); err != nil {
			t.Fatal(err)
		}
		if got := f.problems(f.store); !strings.Contains(got, digestkey.ErrStampKey.Error()) {
			t.Errorf("the key of the stamps was changed, and found is\n%s", got)
		}
		if err := f.store.Shred(t.Context(), digestkey.StampRef); err != nil {
			t.Fatal(err)
		}
		if got := f.problems(f.store); !strings.Contains(got, "the key of the stamps is gone") {
			t.Errorf("the key of the stamps was taken away, and found is\n%s", got)
		}
		if err := f.store.Shred(t.Context(), digestkey.Ref); err != nil {
			t.Fatal(err)
		}
		if got := f.problems(f.store); !strings.Contains(got, "the key of the token digests is gone") {
			t.Errorf("the key of the digests was taken away, and found is\n%s", got)
		}
	})
}
