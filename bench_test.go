package keyrack_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// How fast something is, is said as a ratio to a floor: the least that anybody
// could do. Both are measured in turns of some microseconds, and the median of
// the turns' ratios is reported, so that it does not matter much what else the
// machine does.

// inTurns runs a floor, and what is measured against it, in turns over a list,
// each at places of its own, and reports the ratio. Both tell whether they were
// right.
func inTurns(b *testing.B, size int, floor, subject func(from, to int) bool) {
	b.Helper()
	const batch = 64
	var floors, subjects, ratios []float64
	places := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		here, there := places.IntN(size-batch+1), places.IntN(size-batch+1)
		began := time.Now()
		right := floor(here, here+batch)
		f := time.Since(began)
		began = time.Now()
		right = subject(there, there+batch) && right
		s := time.Since(began)
		if !right {
			b.Fatal("a wrong answer")
		}
		floors, subjects = append(floors, float64(f)/batch), append(subjects, float64(s)/batch)
		ratios = append(ratios, float64(s)/float64(f))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(testkit.Median(floors), "floor-ns")
	b.ReportMetric(testkit.Median(subjects), "ns")
	b.ReportMetric(testkit.Median(ratios), "x-floor")
}

// crowd is a Rack with many integrations of one token each, and beside it the
// maps that anybody would make of them.
type crowd struct {
	rack    *keyrack.Rack
	key     [seal.KeySize]byte // of the digests
	tokens  []string           // in no order
	ids     []string
	byToken map[lifecycle.Digest]*lifecycle.Record
	byID    map[string]*lifecycle.Record
}

var crowds = map[int]*crowd{} // kept: the large one takes its time

func crowdOf(t testing.TB, n int) *crowd {
	if c := crowds[n]; c != nil {
		return c
	}
	c := &crowd{
		tokens: make([]string, n), ids: make([]string, n),
		byToken: make(map[lifecycle.Digest]*lifecycle.Record, n), byID: make(map[string]*lifecycle.Record, n),
	}
	ring, mem := seal.Ephemeral(), memstore.New(nil)
	var err error
	if c.rack, err = keyrack.Open(context.Background(), mem, &keyrack.Options{Sealer: ring, Poll: time.Hour}); err != nil {
		t.Fatal(err)
	}
	sealed, err := mem.Sealed(context.Background(), store.Ref{Name: "digest key"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := binding.Open(ring, store.Ref{Name: "digest key"}, sealed)
	if err != nil {
		t.Fatal(err)
	}
	c.key = [seal.KeySize]byte(key)
	for i := range n {
		c.tokens[i], c.ids[i] = tokenText(fmt.Sprint(i)), integrationID(fmt.Sprint(i))
	}
	c.rack.FillView(func(yield func(keyrack.Record) bool) {
		for i := range n {
			record := live(c.ids[i], c.rack.Digest(c.tokens[i]))
			c.byToken[record.Keys[0].Digest], c.byID[record.ID] = &record, &record
			if !yield(record) {
				return
			}
		}
	})
	crowds[n] = c
	return c
}

// live is the record of an integration that was created with a token.
func live(id string, token lifecycle.Digest) lifecycle.Record {
	record, _ := lifecycle.Record{}.Apply(lifecycle.Evidence{
		Kind: lifecycle.KindDelivery, At: lifecycle.At(time.Now()), Action: lifecycle.IntegrationCreated,
		Integration: lifecycle.Named{ID: id, Name: "Sample"},
		Enterprise:  lifecycle.Named{ID: enterpriseID(id), Name: "Sample Chain Hotel 1"},
		Token:       token, CreatedUtc: lifecycle.At(birthday), IsEnabled: lifecycle.Yes,
	})
	return record
}

// floor is one SHA-256 over the key and the token, and one access to a Go map.
func (c *crowd) floor(from, to int) bool {
	found := 0
	for _, token := range c.tokens[from:to] {
		var buffer [seal.KeySize + 64]byte
		copy(buffer[:], c.key[:])
		copy(buffer[seal.KeySize:], token)
		if c.byToken[sha256.Sum256(buffer[:])] != nil {
			found++
		}
	}
	return found == to-from
}

func (c *crowd) lookUp(from, to int) bool {
	found := 0
	for _, token := range c.tokens[from:to] {
		if c.rack.LookUp(token) {
			found++
		}
	}
	return found == to-from
}

func (c *crowd) check(from, to int) bool {
	valid := 0
	for _, token := range c.tokens[from:to] {
		if c.rack.Check(token).Status == lifecycle.Valid {
			valid++
		}
	}
	return valid == to-from
}

var crowdSizes = []int{1_000, 1_000_000}

// A token's look-up, digest and index: at most 1.25 times the floor at 1,000
// tokens and 1.6 times at 1,000,000.
func BenchmarkLookUp(b *testing.B) {
	for _, n := range crowdSizes {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			c := crowdOf(b, n)
			inTurns(b, n, c.floor, c.lookUp)
		})
	}
}

// The whole Check, its clock and its verdict with it: at most twice the floor.
func BenchmarkCheck(b *testing.B) {
	for _, n := range crowdSizes {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			c := crowdOf(b, n)
			inTurns(b, n, c.floor, c.check)
		})
	}
}

// The verdict of an integration by its id: at most 1.5 times one access to a Go
// map and one look at the clock.
func BenchmarkIntegration(b *testing.B) {
	for _, n := range crowdSizes {
		b.Run(fmt.Sprintf("integrations=%d", n), func(b *testing.B) {
			c := crowdOf(b, n)
			inTurns(b, n, func(from, to int) bool {
				found := 0
				for _, id := range c.ids[from:to] {
					if c.byID[id] != nil && !time.Now().IsZero() {
						found++
					}
				}
				return found == to-from
			}, func(from, to int) bool {
				valid := 0
				for _, id := range c.ids[from:to] {
					if c.rack.CheckIntegration(id).Status == lifecycle.Valid {
						valid++
					}
				}
				return valid == to-from
			})
		})
	}
}

// Check beside a writer that commits all the time, over the floor beside the
// same writer: what the writer takes of the machine it takes of both.
func BenchmarkCheckBesideAWriter(b *testing.B) {
	c := crowdOf(b, 1_000)
	var stop atomic.Bool
	var wg sync.WaitGroup
	var commits atomic.Int64
	wg.Go(func() {
		bodies := [][]byte{webhook(lifecycle.IntegrationDisabled, "busy", nil), webhook(lifecycle.IntegrationEnabled, "busy", nil)}
		for i := 0; !stop.Load(); i++ {
			// A new integration now and then, so that the index grows, too.
			body := bodies[i%2]
			if i%16 == 0 {
				body = creation(fmt.Sprint("new", i), fmt.Sprint("new", i), lifecycle.Yes)
			}
			if _, err := c.rack.Deliver(context.Background(), body); err != nil {
				b.Error(err)
				return
			}
			commits.Add(1)
		}
	})
	inTurns(b, 1_000, c.floor, c.check)
	b.ReportMetric(float64(commits.Load())/b.Elapsed().Seconds(), "commits/s")
	stop.Store(true)
	wg.Wait()
	delete(crowds, 1_000) // it has grown
}

// What a token costs in the index alone (at most 90 bytes), and what an
// integration costs altogether: its record, its ids and its place in both indexes.
func BenchmarkMemory(b *testing.B) {
	for _, n := range crowdSizes {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			var perToken, perIntegration float64
			for b.Loop() {
				before := heapInUse()
				index := keyrack.FillIndex(n)
				perToken = float64(heapInUse()-before) / float64(n)
				runtime.KeepAlive(index)
				index = nil

				before = heapInUse()
				r, err := keyrack.Open(b.Context(), memstore.New(nil), nil)
				if err != nil {
					b.Fatal(err)
				}
				r.FillView(func(yield func(keyrack.Record) bool) {
					for i := range n {
						if !yield(live(integrationID(fmt.Sprint(i)), r.Digest(tokenText(fmt.Sprint(i))))) {
							return
						}
					}
				})
				perIntegration = float64(heapInUse()-before) / float64(n)
				if r.Len() != n {
					b.Fatalf("%d integrations, want %d", r.Len(), n)
				}
				r.Close()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(perToken, "index-B/token")
			b.ReportMetric(perIntegration, "B/integration")
		})
	}
}

// What Stats costs an integration: one look at its record, and the verdict.
func BenchmarkStats(b *testing.B) {
	for _, size := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := crowdOf(b, size)
			for b.Loop() {
				if n := c.rack.Stats().Verdicts[keyrack.Standing{Status: lifecycle.Valid, Reason: lifecycle.ReasonLive}]; n != size {
					b.Fatalf("%d are valid, want %d", n, size)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/integration")
		})
	}
}

// A page of a hundred from anywhere in the list: the same of many integrations.
func BenchmarkListPage(b *testing.B) {
	for _, size := range crowdSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := crowdOf(b, size)
			ids := slices.Sorted(slices.Values(c.ids))
			turn := 0
			for b.Loop() {
				turn++
				from := turn * 7919 % (size - 100)
				n := 0
				for s := range c.rack.SummariesAfter(ids[from]) {
					if n++; s.Integration.ID != ids[from+n] || s.Verdict.Status != lifecycle.Valid {
						b.Fatalf("%d after %s is %v", n, ids[from], s)
					}
					if n == 100 {
						break
					}
				}
				if n != min(100, size-from-1) {
					b.Fatalf("%d rows", n)
				}
			}
		})
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
