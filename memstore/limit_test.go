package memstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// TestFoldFromBase: whatever the limit removed, base and history give the record,
// byte for byte.
func TestFoldFromBase(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, limit := range []int{1, 2, 7, 40} {
		s := memstore.New(&memstore.Options{JournalLimit: limit})
		records := map[string]lifecycle.Record{}
		for i := range 150 {
			id := fmt.Sprint("integration-", rng.IntN(6))
			evidence := lifecycle.Evidence{
				Kind: lifecycle.KindDelivery, At: lifecycle.Instant(1+i) * 1_000_000,
				Action:      lifecycle.Action(1 + rng.IntN(7)),
				Integration: lifecycle.Named{ID: id}, IsEnabled: lifecycle.Flag(rng.IntN(3)),
			}
			before := records[id]
			next, decision := before.Apply(evidence)
			c := store.Commit{
				Entry: store.Entry{
					ID: store.NewEntryID(evidence.At.Time()), Integration: id, At: evidence.At,
					Evidence: lifecycle.AppendEvidence(nil, evidence),
					Decision: []byte(decision.Outcome.String()),
				},
				Expect: before.Version, Record: lifecycle.AppendRecord(nil, next),
				EraseBodies: rng.IntN(10) == 0, Forget: rng.IntN(20) == 0,
			}
			if _, err := s.Commit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			records[id] = next
			if rng.IntN(10) == 0 { // somebody trims as well
				trim(t, s, id, uint64(rng.IntN(int(next.Version)))+1)
			}
			if rng.IntN(5) == 0 {
				nameless := store.Entry{ID: store.NewEntryID(evidence.At.Time())}
				if _, err := s.Commit(t.Context(), store.Commit{Entry: nameless}); err != nil {
					t.Fatal(err)
				}
			}
			check(t, s, limit)
		}
	}
}

// fold returns the record that base and the entries up to a version lead to.
func fold(t *testing.T, s *memstore.Store, in store.Stored, through uint64) []byte {
	t.Helper()
	var r lifecycle.Record
	if in.BaseVersion > 0 {
		var err error
		if r, err = lifecycle.ParseRecord(in.Base); err != nil {
			t.Fatal(err)
		}
	}
	for e, err := range s.History(t.Context(), in.Integration, store.EntryID{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Version <= in.BaseVersion || e.Version > through {
			continue
		}
		evidence, err := lifecycle.ParseEvidence(e.Evidence)
		if err != nil {
			t.Fatal(err)
		}
		r, _ = r.Apply(evidence)
	}
	return lifecycle.AppendRecord(nil, r)
}

func trim(t *testing.T, s *memstore.Store, id string, through uint64) {
	t.Helper()
	in, err := s.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if through < in.BaseVersion {
		return
	}
	if err := s.Trim(t.Context(), id, through, fold(t, s, in, through)); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, s *memstore.Store, limit int) {
	t.Helper()
	for in, err := range s.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if got := fold(t, s, in, in.Version); !bytes.Equal(got, in.Record) {
			t.Fatalf("limit %d: from version %d\n got %s\nwant %s", limit, in.BaseVersion, got, in.Record)
		}
	}
	first, last, err := s.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range s.Journal(t.Context(), first) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; e.Position > last {
			t.Fatalf("position %d lies after the newest, %d", e.Position, last)
		}
	}
	if n > limit {
		t.Fatalf("%d entries, the limit is %d", n, limit)
	}
}

func TestLimit(t *testing.T) {
	const limit, n = 10, 35
	s := memstore.New(&memstore.Options{JournalLimit: limit})
	var ids []store.EntryID
	for i := range uint64(n) {
		c := store.Commit{
			Entry: store.Entry{ID: store.NewEntryID(time.Now()), Integration: "a"}, Body: []byte("sealed"),
			Expect: i, Record: fmt.Append(nil, i+1),
		}
		if _, err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.Entry.ID)
	}
	if in, err := s.Load(t.Context(), "a"); err != nil || in.BaseVersion != n-limit || string(in.Base) != fmt.Sprint(n-limit) {
		t.Errorf("base %s at version %d, error %v", in.Base, in.BaseVersion, err)
	}
	for i, id := range ids {
		_, err := s.Commit(t.Context(), store.Commit{Entry: store.Entry{ID: id, Integration: "a"}, Expect: 1 << 40})
		_, noBody := s.Sealed(t.Context(), store.Ref{Entry: id})
		if gone := i < n-limit; errors.Is(err, store.ErrConflict) != gone || errors.Is(noBody, store.ErrNotFound) != gone {
			t.Errorf("entry %d: repeated: %v, Sealed: %v", i, err, noBody)
		}
	}
	for _, err := range s.Journal(t.Context(), n-limit-1) {
		if !errors.Is(err, store.ErrTrimmed) {
			t.Errorf("before what is left: %v", err)
		}
	}
	if first, last, _ := s.Bounds(t.Context()); first != n-limit || last != n {
		t.Errorf("bounds %d and %d", first, last)
	}
}

// TestMemoryIsBounded: by integrations and limit, not by commits.
func TestMemoryIsBounded(t *testing.T) {
	const limit = 500
	s := memstore.New(&memstore.Options{JournalLimit: limit})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	versions := make([]uint64, 50)
	run := func(n int) {
		for i := range n {
			k := i % len(versions)
			c := store.Commit{
				Entry: store.Entry{ID: store.NewEntryID(time.Now()), Integration: fmt.Sprint(k), Evidence: make([]byte, 300), Decision: make([]byte, 60)},
				Body:  make([]byte, 900), Expect: versions[k], Record: make([]byte, 500),
			}
			if _, err := s.Commit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			versions[k]++
		}
	}
	run(5 * limit)
	before := heap()
	run(60 * limit)
	after := heap()
	t.Logf("%d bytes after %d commits, %d after %d", before, 5*limit, after, 65*limit)
	if after > before+before/4 {
		t.Errorf("%d bytes became %d", before, after)
	}
	runtime.KeepAlive(s)
}

// TestTailOfFullJournal: a reader who keeps up misses nothing, although each
// commit removes the oldest entry, and one who does not is told.
func TestTailOfFullJournal(t *testing.T) {
	const limit, n = 1000, 20000
	s := memstore.New(&memstore.Options{JournalLimit: limit})
	ctx := context.Background()
	var writer sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() {
		defer close(done)
		for i := range uint64(n) {
			c := store.Commit{Entry: store.Entry{ID: store.NewEntryID(time.Now()), Integration: "a"}, Expect: i}
			if _, err := s.Commit(ctx, c); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var after store.Position
	trimmed := 0
	for last := false; !last; {
		select {
		case <-done:
			last = true
		default:
		}
		for e, err := range s.Journal(ctx, after) {
			if errors.Is(err, store.ErrTrimmed) {
				trimmed++
				if _, after, err = s.Bounds(ctx); err != nil {
					t.Fatal(err)
				}
				last = false
				break
			}
			if err != nil || e.Position != after+1 {
				t.Fatalf("position %d after %d, error %v", e.Position, after, err)
			}
			after = e.Position
		}
	}
	writer.Wait()
	if after != n {
		t.Errorf("the reader ends at %d of %d", after, n)
	}
	t.Logf("overtaken %d times", trimmed)
}
