package lease_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/lease"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

const ttl = 30 * time.Second

// leaser is a store whose leases can fail and hang.
type leaser struct {
	*memstore.Store
	mu    sync.Mutex
	err   error // of every Acquire
	hangs bool
}

func (l *leaser) set(err error, hangs bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.hangs = err, hangs
}

func (l *leaser) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	l.mu.Lock()
	err, hangs := l.err, l.hangs
	l.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return store.Lease{}, ctx.Err()
	}
	if err != nil {
		return store.Lease{}, err
	}
	return l.Store.Acquire(ctx, name, holder, ttl)
}

func keeper(s lease.Leaser, holder string) *lease.Keeper {
	return &lease.Keeper{Store: s, Name: "work", Holder: holder, TTL: ttl, Patience: time.Second}
}

// stint is a time for which somebody worked.
type stint struct {
	who      string
	from, to time.Duration
}

// diary is who worked when, by the time since its beginning.
type diary struct {
	mu     sync.Mutex
	began  time.Time
	stints []stint
}

func (d *diary) work(who string) lease.Work {
	return func(ctx context.Context, _ store.Lease) error {
		from := time.Since(d.began)
		<-ctx.Done()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.stints = append(d.stints, stint{who, from, time.Since(d.began)})
		return nil
	}
}

// TestOneWorksAtATime: of several keepers one works, and the next begins when the first
// has given up, died, or lost its store, never before.
func TestOneWorksAtATime(t *testing.T) {
	for name, end := range map[string]func(s *leaser, stop func()){
		"given up":              func(_ *leaser, stop func()) { stop() },
		"the store hangs":       func(s *leaser, _ func()) { s.set(nil, true) },
		"the store fails":       func(s *leaser, _ func()) { s.set(errors.New("made-up failure"), false) },
		"the lease was revoked": func(s *leaser, _ func()) { s.set(store.ErrFenced, false) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := memstore.New(nil)
				first := &leaser{Store: memory}
				d := &diary{began: time.Now()}
				ctx, stop := context.WithCancel(t.Context())
				over, stopAll := context.WithCancel(t.Context())
				var done sync.WaitGroup
				done.Go(func() { keeper(first, "a").Keep(ctx, d.work("a"), nil) })
				synctest.Wait()
				done.Go(func() { keeper(memory, "b").Keep(over, d.work("b"), nil) })
				time.Sleep(10*ttl + time.Second)
				end(first, stop)
				time.Sleep(3 * ttl)
				stop()
				stopAll()
				done.Wait()
				if len(d.stints) != 2 || d.stints[0].who != "a" || d.stints[1].who != "b" {
					t.Fatalf("%+v, want a and then b", d.stints)
				}
				a, b := d.stints[0], d.stints[1]
				if a.from != 0 || a.to < 10*ttl || a.to > 11*ttl+time.Second {
					t.Errorf("a worked from %v to %v", a.from, a.to)
				}
				if b.from < a.to || b.from > a.to+ttl+ttl/3 {
					t.Errorf("b began at %v, a had ended at %v", b.from, a.to)
				}
			})
		})
	}
}

// TestHold: the lease is given up when the work returns, and its error comes back.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New(nil)
		errWork := errors.New("the work's own")
		err := keeper(memory, "a").Hold(t.Context(), func(ctx context.Context, l store.Lease) error {
			if l.Fence == 0 || l.Name != "work" || l.Holder != "a" {
				t.Errorf("%+v", l)
			}
			if err := keeper(memory, "b").Hold(ctx, nil); !errors.Is(err, store.ErrFenced) {
				t.Errorf("held twice: %v", err)
			}
			return errWork
		})
		if !errors.Is(err, errWork) {
			t.Errorf("%v", err)
		}
		if err := keeper(memory, "b").Hold(t.Context(), func(context.Context, store.Lease) error { return nil }); err != nil {
			t.Errorf("not given up: %v", err)
		}
	})
}

// TestFailures: whoever waits in vain hears why, unless somebody else just holds it.
func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaser{Store: memstore.New(nil)}
		ctx, stop := context.WithCancel(t.Context())
		var heard atomic.Int64
		var done sync.WaitGroup
		s.set(store.ErrFenced, false)
		done.Go(func() {
			keeper(s, "a").Keep(ctx, func(ctx context.Context, _ store.Lease) error { <-ctx.Done(); return ctx.Err() },
				func(error) { heard.Add(1) })
		})
		time.Sleep(10 * ttl)
		if n := heard.Load(); n != 0 {
			t.Errorf("%d failures where another holds the lease", n)
		}
		s.set(errors.New("made-up failure"), false)
		time.Sleep(10 * ttl)
		if n := heard.Load(); n < 29 || n > 31 {
			t.Errorf("%d failures in ten times the TTL", n)
		}
		s.set(nil, false)
		time.Sleep(ttl)
		was := heard.Load()
		stop()
		done.Wait()
		if heard.Load() != was {
			t.Error("the end is no failure")
		}
	})
}
