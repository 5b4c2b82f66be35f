package memstore_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// What one of Mews's deliveries amounts to, in bytes.
const (
	evidenceSize = 300
	decisionSize = 60
	recordSize   = 600
	bodySize     = 900
)

// BenchmarkCommit measures one delivery to one of 1,000 integrations, the journal
// full, so that each commit removes an entry. Its floor does what no store of this
// kind can do without: copies, one entry in a map by its id and one out, a lock.
func BenchmarkCommit(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		var mu sync.Mutex
		ids := make([]store.EntryID, memstore.DefaultJournalLimit)
		entries := make(map[store.EntryID]*store.Commit)
		c := delivery()
		b.ReportAllocs()
		n := uint64(0)
		for b.Loop() {
			c.Entry.ID = number(n)
			kept := &store.Commit{Entry: c.Entry}
			kept.Entry.Evidence = bytes.Clone(c.Entry.Evidence)
			kept.Entry.Decision = bytes.Clone(c.Entry.Decision)
			kept.Record, kept.Body = bytes.Clone(c.Record), bytes.Clone(c.Body)
			mu.Lock()
			oldest := &ids[n%uint64(len(ids))]
			delete(entries, *oldest)
			*oldest = c.Entry.ID
			entries[c.Entry.ID] = kept
			mu.Unlock()
			n++
		}
		if len(entries) != min(int(n), len(ids)) {
			b.Fatalf("%d entries after %d", len(entries), n)
		}
	})
	b.Run("store", func(b *testing.B) {
		ctx := context.Background()
		s := memstore.New(nil)
		integrations := make([]string, 1000)
		for i := range integrations {
			integrations[i] = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		}
		versions := make([]uint64, len(integrations))
		c := delivery()
		n := uint64(0)
		commit := func() {
			i := n % uint64(len(integrations))
			c.Entry.ID, c.Entry.Integration, c.Expect = number(n), integrations[i], versions[i]
			versions[i]++
			n++
			if r, err := s.Commit(ctx, c); err != nil || r.Version != versions[i] {
				b.Fatalf("version %d, want %d: %v", r.Version, versions[i], err)
			}
		}
		for range memstore.DefaultJournalLimit {
			commit()
		}
		b.ReportAllocs()
		for b.Loop() {
			commit()
		}
	})
}

// BenchmarkCommitParallel measures many writers, each with its own integrations.
func BenchmarkCommitParallel(b *testing.B) {
	s := memstore.New(nil)
	var mu sync.Mutex
	writers := 0
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		mu.Lock()
		writers++
		writer := uint64(writers)
		mu.Unlock()
		c := delivery()
		c.Entry.Integration = fmt.Sprint(writer)
		for pb.Next() {
			c.Entry.ID = number(writer<<40 | c.Expect)
			if r, err := s.Commit(context.Background(), c); err != nil || r.Version != c.Expect+1 {
				b.Errorf("version %d after %d: %v", r.Version, c.Expect, err)
				return
			}
			c.Expect++
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	s := memstore.New(nil)
	c := delivery()
	if _, err := s.Commit(context.Background(), c); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if in, err := s.Load(context.Background(), c.Entry.Integration); err != nil || len(in.Record) != recordSize {
			b.Fatal(err)
		}
	}
}

func BenchmarkOwner(b *testing.B) {
	s := memstore.New(nil)
	c := delivery()
	c.Claim = []store.Claim{{Digest: lifecycle.Digest{1}}}
	if _, err := s.Commit(context.Background(), c); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if owner, err := s.Owner(context.Background(), lifecycle.Digest{1}); err != nil || owner != c.Entry.Integration {
			b.Fatal(err)
		}
	}
}

// BenchmarkJournal measures what a follower pays for one new entry in a full journal.
func BenchmarkJournal(b *testing.B) {
	s := memstore.New(nil)
	c := delivery()
	for i := range uint64(memstore.DefaultJournalLimit) {
		c.Entry.ID, c.Expect = number(i), i
		if _, err := s.Commit(context.Background(), c); err != nil {
			b.Fatal(err)
		}
	}
	_, last, _ := s.Bounds(context.Background())
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for e, err := range s.Journal(context.Background(), last-1) {
			if err != nil || e.Position != last {
				b.Fatal(err)
			}
			n++
		}
		if n != 1 {
			b.Fatalf("%d entries", n)
		}
	}
}

func delivery() store.Commit {
	return store.Commit{
		Entry: store.Entry{
			ID: number(1), Integration: "00000000-0000-4000-8000-000000000001", At: lifecycle.At(time.Now()),
			Evidence: make([]byte, evidenceSize), Decision: make([]byte, decisionSize),
		},
		Body: make([]byte, bodySize), Record: make([]byte, recordSize),
	}
}

// number returns an id that spreads as true ones do, without their price.
func number(n uint64) store.EntryID {
	var id store.EntryID
	n++
	for i := range id {
		id[i] = byte(n * 0x9e3779b97f4a7c15 >> (i % 8 * 8))
	}
	id[15] = byte(n) | 1
	return id
}
