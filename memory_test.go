package keyrack_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// Memory is bounded by the number of integrations, not of deliveries.
func TestManyDuplicates(t *testing.T) {
	const limit, deliveries = 256, 100_000
	mem := memstore.New(&memstore.Options{JournalLimit: limit})
	r, err := keyrack.Open(t.Context(), mem, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var bodies [][]byte
	for _, name := range fleet {
		bodies = append(bodies, creation(name, "key of "+name, lifecycle.Yes), webhook(lifecycle.IntegrationEnabled, name, nil),
			webhook(lifecycle.IntegrationCanceled, name, nil), webhook(lifecycle.IntegrationCanceled, name, nil),
			rotation(name, "new key of "+name), []byte(`[]`))
	}
	storm := func(n int) (heap uint64, record int) {
		for i := range n {
			if _, err := r.Deliver(t.Context(), bodies[i%len(bodies)]); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range fleet {
			record = max(record, len(lifecycle.AppendRecord(nil, must(r.Record(integrationID(name))))))
		}
		r.NoteAnswers()
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, record
	}
	heap, record := storm(4 * limit)
	later, larger := storm(deliveries)
	if grown := int64(later) - int64(heap); grown > 1<<20 {
		t.Errorf("%d further deliveries took %d bytes", deliveries, grown)
	}
	if larger > record+64 {
		t.Errorf("a record grew from %d to %d bytes", record, larger)
	}
	entries := 0
	first, _, _ := mem.Bounds(t.Context())
	for range mem.Journal(t.Context(), first) {
		entries++
	}
	if entries > limit {
		t.Errorf("%d entries in a journal of %d", entries, limit)
	}
	audit(t, mem, r)
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("missing")
	}
	return v
}

// A storm of duplicates costs one probe in ten seconds, and no memory.
func TestAStormCostsLittle(t *testing.T) {
	deliveries := 50_000
	if long() {
		deliveries = 1_000_000
	}
	probing(t, newOracle("k"), func(b bench) {
		b.store = memstore.New(&memstore.Options{JournalLimit: 64})
		b = opened(t, b.oracle, b.store, nil)
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		body := webhook(lifecycle.IntegrationEnabled, "a", nil)
		for range 1000 {
			b.deliver(body)
		}
		settle(time.Minute)
		b.oracle.set(func(o *oracle) { o.asked = nil })
		heap := liveHeap()
		start := time.Now()
		for i := range deliveries {
			b.deliver(body)
			if i%100 == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		settle(time.Minute)
		grown := int64(liveHeap()) - int64(heap)
		b.oracle.mu.Lock()
		asked := slices.Clone(b.oracle.asked)
		b.oracle.mu.Unlock()
		if most := int(time.Since(start)/probeGap) + 1; len(asked) > most {
			t.Errorf("%d probes in %v, want at most %d", len(asked), time.Since(start), most)
		}
		for i := range asked[1:] {
			if gap := asked[i+1].Sub(asked[i]); gap < probeGap {
				t.Errorf("two probes %v apart", gap)
			}
		}
		if grown > 1<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
