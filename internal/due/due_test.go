package due_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/due"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fleet is hotels, each with the time at which something is to be told of it.
type fleet struct {
	t      *testing.T
	leases *counted

	mu    sync.Mutex
	at    map[string]time.Time
	ahead time.Duration // of the clock
	told  []string      // who was told of, in order
	times []time.Time
	fails bool
}

// counted counts who asks for leases.
type counted struct {
	*memstore.Store
	mu    sync.Mutex
	asked int
}

func (c *counted) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	c.mu.Lock()
	c.asked++
	c.mu.Unlock()
	return c.Store.Acquire(ctx, name, holder, ttl)
}

func (c *counted) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

func newFleet(t *testing.T) *fleet {
	return &fleet{t: t, leases: &counted{Store: memstore.New(nil)}, at: map[string]time.Time{}}
}

func (f *fleet) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Now().Add(f.ahead)
}

func (f *fleet) ids() iter.Seq[string] {
	return func(yield func(string) bool) {
		f.mu.Lock()
		var ids []string
		for id := range f.at {
			ids = append(ids, id)
		}
		f.mu.Unlock()
		for _, id := range ids {
			if !yield(id) {
				return
			}
		}
	}
}

func (f *fleet) set(id string, in time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at[id] = time.Now().Add(in)
}

func (f *fleet) look(id string) (bool, lifecycle.Instant) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, ok := f.at[id]
	if !ok {
		return false, 0
	}
	return !at.After(time.Now().Add(f.ahead)), lifecycle.At(at)
}

func (f *fleet) heard() (told []string, times []time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	told, times = f.told, f.times
	f.told, f.times = nil, nil
	return told, times
}

// open opens one more instance; the function that it returns ends it.
func (f *fleet) open() (*due.Book, func()) {
	var b *due.Book
	b = due.New(due.Options{
		Now: f.now, IDs: f.ids(), Look: f.look, Leases: f.leases, Takeover: 30 * time.Second,
		Tell: func(ctx context.Context, id string) error {
			f.mu.Lock()
			fails := f.fails
			if !fails {
				delete(f.at, id)
				f.told, f.times = append(f.told, id), append(f.times, time.Now())
			}
			f.mu.Unlock()
			if fails {
				return errors.New("made up")
			}
			b.Touch(id) // as the record that comes of it does
			return nil
		},
	})
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.Run(ctx)
	}()
	return b, func() { cancel(); <-ended }
}

// TestManyAtOnce: however many leases end together, what is written comes at a bounded
// rate, in their order, each once.
func TestManyAtOnce(t *testing.T) {
	hotels := 100_000
	if testkit.Race || testing.Short() {
		hotels = 2_000
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		for i := range hotels {
			f.set(fmt.Sprintf("%06d", i), time.Hour+time.Duration(i)*time.Microsecond)
		}
		b, end := f.open()
		defer end()
		b.Touch("000000")
		began := time.Now()
		time.Sleep(2*time.Hour + time.Duration(hotels)*20*time.Millisecond)
		told, times := f.heard()
		if len(told) != hotels {
			t.Fatalf("told of %d of %d", len(told), hotels)
		}
		for i, id := range told {
			if want := fmt.Sprintf("%06d", i); id != want {
				t.Fatalf("told of %s, want %s", id, want)
			}
			if i > 0 && times[i].Sub(times[i-1]) < 20*time.Millisecond {
				t.Fatalf("told of %s %v after the former", id, times[i].Sub(times[i-1]))
			}
		}
		if first := times[0].Sub(began); first < time.Hour || first > time.Hour+time.Second {
			t.Errorf("told first after %v", first)
		}
	})
}

// TestOneTells: of two instances one tells. When it ends the other one does, of all.
func TestOneTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		a, endA := f.open()
		b, endB := f.open()
		defer endB()
		touch := func(id string, in time.Duration) { f.set(id, in); a.Touch(id); b.Touch(id) }
		touch("alps", time.Minute)
		touch("dolomites", 3*time.Minute)
		time.Sleep(2 * time.Minute)
		endA()
		touch("tirol", 5*time.Minute)
		time.Sleep(10 * time.Minute)
		told, times := f.heard()
		if fmt.Sprint(told) != "[alps dolomites tirol]" {
			t.Fatalf("told of %v", told)
		}
		if late := times[2].Sub(times[0]); late != 6*time.Minute {
			t.Errorf("the last was told %v after the first", late)
		}
	})
}

// TestEvidenceMoves: an instant that evidence moved away is told later, and one that it
// moved nearer earlier.
func TestEvidenceMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		b, end := f.open()
		defer end()
		move := func(id string, in time.Duration) { f.set(id, in); b.Touch(id) }
		move("renewed", time.Hour)
		move("nearer", 5*time.Hour)
		time.Sleep(30 * time.Minute)
		move("renewed", 2*time.Hour)
		move("nearer", time.Hour)
		time.Sleep(59 * time.Minute)
		if told, _ := f.heard(); len(told) != 0 {
			t.Errorf("told of %v", told)
		}
		time.Sleep(2 * time.Minute)
		if told, _ := f.heard(); fmt.Sprint(told) != "[nearer]" {
			t.Errorf("told of %v", told)
		}
		time.Sleep(10 * time.Hour)
		if told, _ := f.heard(); fmt.Sprint(told) != "[renewed]" {
			t.Errorf("told of %v", told)
		}
	})
}

// TestStoreFails: what cannot be told is told once the store works.
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		f.fails = true
		b, end := f.open()
		defer end()
		f.set("alps", time.Minute)
		b.Touch("alps")
		time.Sleep(time.Hour)
		f.mu.Lock()
		f.fails = false
		f.mu.Unlock()
		time.Sleep(10 * time.Second)
		if told, _ := f.heard(); fmt.Sprint(told) != "[alps]" {
			t.Errorf("told of %v", told)
		}
	})
}

// TestClockJumps: a clock that jumps ahead, as that of a machine that slept, is noticed
// within a minute.
func TestClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		b, end := f.open()
		defer end()
		f.set("alps", 24*time.Hour)
		b.Touch("alps")
		time.Sleep(time.Hour)
		f.mu.Lock()
		f.ahead = 48 * time.Hour
		f.mu.Unlock()
		time.Sleep(61 * time.Second)
		if told, _ := f.heard(); fmt.Sprint(told) != "[alps]" {
			t.Errorf("told of %v", told)
		}
	})
}

// TestNothingEverDue: where nothing changes by itself, nobody asks for the lease.
func TestNothingEverDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		b, end := f.open()
		defer end()
		b.Touch("alps")
		time.Sleep(24 * time.Hour)
		if n := f.leases.count(); n != 0 {
			t.Errorf("asked for the lease %d times", n)
		}
	})
}
