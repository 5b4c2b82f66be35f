package index

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// The table does what a map does, whatever the hashes: few of them make long
// runs of collisions.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table Table[int, int]
		model := map[int]*int{}
		spread := rapid.Uint32Range(1, 64).Draw(t, "spread")
		hash := func(key int) uint32 { return uint32(key) % spread * 0x9e3779b9 }
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				key := rapid.IntRange(0, 200).Draw(t, "key")
				value := new(int)
				model[key] = value
				table.Put(hash(key), key, value)
			},
			"delete": func(t *rapid.T) {
				key := rapid.IntRange(0, 200).Draw(t, "key")
				delete(model, key)
				table.Delete(hash(key), key)
			},
			"": func(t *rapid.T) {
				if table.Len() != len(model) {
					t.Fatalf("Len is %d, want %d", table.Len(), len(model))
				}
				for key := range 201 {
					if got := table.Get(hash(key), key); got != model[key] {
						t.Fatalf("Get(%d) is %v, want %v", key, got, model[key])
					}
				}
				seen := map[*int]bool{}
				table.All(func(v *int) bool { seen[v] = true; return true })
				if len(seen) != len(model) {
					t.Fatalf("All yields %d values, want %d", len(seen), len(model))
				}
			},
		})
	})
}

// A key that is there is found at every moment, however much the table grows
// and sheds beside it.
func TestReadersBesideAWriter(t *testing.T) {
	var table Table[uint64, uint64]
	hash := func(key uint64) uint32 { return uint32(key * 0x9e3779b97f4a7c15 >> 32) }
	const stays = 1000
	for key := range uint64(stays) {
		table.Put(hash(key), key, &key)
	}
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for !stop.Load() {
				key := rand.Uint64N(stays)
				if v := table.Get(hash(key), key); v == nil || *v != key {
					t.Errorf("Get(%d) is %v", key, v)
					return
				}
			}
		})
	}
	for round := range uint64(20) {
		for i := range uint64(5000) {
			key := stays + round*5000 + i
			table.Put(hash(key), key, &key)
			if i%2 == 0 {
				table.Delete(hash(key), key)
			}
		}
	}
	stop.Store(true)
	readers.Wait()
	if want := stays + 20*2500; table.Len() != want {
		t.Fatalf("Len is %d, want %d", table.Len(), want)
	}
}

// Keys that come and go do not make the table grow without end.
func TestChurnIsBounded(t *testing.T) {
	var table Table[int, int]
	for key := range 1_000_000 {
		h := uint32(key) * 0x9e3779b9
		table.Put(h, key, new(int))
		table.Delete(h, key)
	}
	if words := len(table.now.Load().words); words > 64 {
		t.Fatalf("%d words for an empty table", words)
	}
}

func TestLookingUpDoesNotAllocate(t *testing.T) {
	var table Table[string, int]
	key := "9e5e84e9-974d-4f16-9662-ab2200f27cb1"
	table.Put(1, key, new(int))
	if n := testing.AllocsPerRun(100, func() { table.Get(1, key) }); n != 0 {
		t.Fatalf("%v allocations a look-up", n)
	}
}

// BenchmarkGet measures a look-up beside that of Go's map with the same keys.
func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		keys := make([][32]byte, n)
		rng := rand.NewChaCha8([32]byte{1})
		for i := range keys {
			rng.Read(keys[i][:])
		}
		hash := func(k *[32]byte) uint32 { return uint32(k[0]) | uint32(k[1])<<8 | uint32(k[2])<<16 | uint32(k[3])<<24 }
		b.Run(fmt.Sprintf("table/%d", n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var table Table[[32]byte, int]
			value := new(int)
			for i := range keys {
				table.Put(hash(&keys[i]), keys[i], value)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			i := 0
			for b.Loop() {
				if k := &keys[i]; table.Get(hash(k), *k) != value {
					b.Fatal("not found")
				}
				if i++; i == n {
					i = 0
				}
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/key")
		})
		b.Run(fmt.Sprintf("map/%d", n), func(b *testing.B) {
			table := make(map[[32]byte]*int)
			value := new(int)
			for i := range keys {
				table[keys[i]] = value
			}
			i := 0
			for b.Loop() {
				if table[keys[i]] != value {
					b.Fatal("not found")
				}
				if i++; i == n {
					i = 0
				}
			}
		})
	}
}
