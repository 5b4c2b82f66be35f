package trim_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/trim"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// counting is a store that counts how often it is asked about every integration.
type counting struct {
	store.Store
	scans, histories int
}

func (c *counting) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	c.scans++
	return c.Store.Scan(ctx, after)
}

func (c *counting) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	c.histories++
	return c.Store.History(ctx, integration, after)
}

// world is a store, and the clock of those who write to it.
type world struct {
	testing.TB
	counting
	records map[string]lifecycle.Record
}

func newWorld(t testing.TB) *world {
	return &world{TB: t, counting: counting{Store: memstore.New(&memstore.Options{JournalLimit: 3_000_000})}, records: map[string]lifecycle.Record{}}
}

// commit takes in a delivery about an integration, or about none.
func (w *world) commit(entry store.EntryID, id string, at lifecycle.Instant) {
	w.Helper()
	e := lifecycle.Evidence{
		Kind: lifecycle.KindDelivery, At: at, Action: lifecycle.IntegrationCreated, IsEnabled: lifecycle.Yes,
		Integration: lifecycle.Named{ID: id},
	}
	c := store.Commit{Entry: store.Entry{ID: entry, Integration: id, At: at, Evidence: lifecycle.AppendEvidence(nil, e), Decision: []byte("{}")}}
	if id != "" {
		record := w.records[id]
		record.ID = id
		c.Expect = record.Version
		record, _ = record.Apply(e)
		w.records[id] = record
		c.Entry.Version, c.Record = record.Version, lifecycle.AppendRecord(nil, record)
	}
	if _, err := w.Commit(w.Context(), c); err != nil {
		w.Fatal(err)
	}
}

// pass runs a pass, and returns how many integrations it trimmed.
func (w *world) pass(p trim.Pass) int {
	w.Helper()
	p.Store = &w.counting
	p.Unreadable = func(_ context.Context, id string, err error) { w.Errorf("%s: %v", id, err) }
	if err := p.Run(w.Context()); err != nil {
		w.Fatal(err)
	}
	return p.Trimmed
}

// left returns all entries that are left, in one text.
func (w *world) left(ids ...string) (text string) {
	w.Helper()
	for _, id := range append(ids, "") {
		for e, err := range w.Store.History(w.Context(), id, store.EntryID{}) {
			if err != nil {
				w.Fatal(err)
			}
			text += fmt.Sprintln(id, e.Position, e.ID)
		}
	}
	return text
}

// Whatever comes in, late or in time, and whatever the limits are and how far the
// subscriptions: passes that go by the news leave what passes leave that look at everything.
func TestNewsAreEnough(t *testing.T) {
	ids := []string{"a", "b", "c", "d"}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		one, other := newWorld(t), newWorld(t)
		now := lifecycle.At(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
		keep, age := 3, 40*time.Hour
		var settled []lifecycle.Instant // the time of each position
		for range 40 {
			for range rng.IntN(6) {
				now = lifecycle.At(now.Time().Add(time.Duration(rng.IntN(60)) * time.Minute))
				at := now
				if rng.IntN(10) == 0 { // as a restored one
					at = lifecycle.At(now.Time().Add(-50 * time.Hour))
				}
				entry, id := store.NewEntryID(at.Time()), append(ids, "")[rng.IntN(5)]
				one.commit(entry, id, at)
				other.commit(entry, id, at)
				settled = append(settled, now)
			}
			switch rng.IntN(8) {
			case 0:
				keep = []int{1, 3, 5, -1}[rng.IntN(4)]
			case 1:
				age = []time.Duration{20 * time.Hour, 40 * time.Hour, 0}[rng.IntN(3)]
			}
			now = lifecycle.At(now.Time().Add(time.Duration(rng.IntN(20)) * time.Hour))
			p := trim.Pass{Now: now, Keep: keep, Worked: store.Position(len(settled))}
			if age > 0 {
				p.Before = lifecycle.At(now.Time().Add(-age))
			}
			if rng.IntN(4) == 0 {
				p.Worked = store.Position(rng.IntN(len(settled) + 1))
			}
			for i, at := range settled {
				if now.Sub(at) >= trim.Young {
					p.Settled = store.Position(i + 1)
				}
			}
			n := one.pass(p)
			if err := other.Shred(t.Context(), trim.Ref); err != nil { // it knows nothing of the last time
				t.Fatal(err)
			}
			if m := other.pass(p); n != m || one.left(ids...) != other.left(ids...) {
				t.Fatalf("seed %d: by the news %d were trimmed, of everything %d; left are\n%s\nand\n%s", seed, n, m, one.left(ids...), other.left(ids...))
			}
		}
		if one.scans >= other.scans {
			t.Errorf("seed %d: by the news everything was looked at as often", seed)
		}
	}
}

// A pass with nothing to do looks at no integration, however many there are.
func TestNothingToDo(t *testing.T) {
	w := newWorld(t)
	now := lifecycle.At(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	for i := range 500 {
		w.commit(store.NewEntryID(now.Time()), fmt.Sprint("integration ", i), now)
	}
	p := trim.Pass{Now: lifecycle.At(now.Time().Add(48 * time.Hour)), Keep: 10, Worked: 500, Settled: 500, Before: now}
	w.pass(p)
	w.scans, w.histories = 0, 0
	for range 3 {
		if n := w.pass(p); n != 0 || w.scans != 0 || w.histories != 0 {
			t.Fatalf("%d were trimmed, by %d scans and %d histories", n, w.scans, w.histories)
		}
	}
	w.commit(store.NewEntryID(now.Time()), "integration 7", now)
	p.Worked, p.Settled = 501, 501
	if w.pass(p); w.scans != 0 || w.histories != 1 {
		t.Errorf("for one with news, %d scans and %d histories", w.scans, w.histories)
	}
}

// BenchmarkNothingToDo is a pass over a million integrations that has nothing to
// trim: the first, which looks at all, and later ones.
func BenchmarkNothingToDo(b *testing.B) {
	const n = 1_000_000
	w := newWorld(b)
	now := lifecycle.At(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	for i := range n {
		w.commit(store.NewEntryID(now.Time()), fmt.Sprint("integration ", i), now)
	}
	p := trim.Pass{Now: lifecycle.At(now.Time().Add(48 * time.Hour)), Keep: 10, Worked: n, Settled: n, Before: now}
	for name, before := range map[string]func(){
		"all":  func() { _ = w.Shred(b.Context(), trim.Ref) },
		"news": func() {},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before()
				if w.pass(p) != 0 {
					b.Fatal("something was trimmed")
				}
			}
		})
	}
}
