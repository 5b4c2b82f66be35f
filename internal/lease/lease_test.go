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
	err   error // of every call
	hangs bool
}

func (l *leaser) set(err error, hangs bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.hangs = err, hangs
}

func (l *leaser) fault(ctx context.Context) error {
	l.mu.Lock()
	err, hangs := l.err, l.hangs
	l.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (l *leaser) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if err := l.fault(ctx); err != nil {
		return store.Lease{}, err
	}
	return l.Store.Acquire(ctx, name, holder, ttl)
}

func (l *leaser) Release(ctx context.Context, held store.Lease) error {
	if err := l.fault(ctx); err != nil {
		return err
	}
	return l.Store.Release(ctx, held)
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

// TestFailures: a caller that waits in vain is told why, unless another one just holds the name.
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

// TestCause: the work's context says why it ended, and so does Hold where the work
// returns an error then.
func TestCause(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(s *leaser)
		cause error
		after time.Duration // since the latest renewal
	}{
		"hangs":  {func(s *leaser) { s.set(nil, true) }, context.DeadlineExceeded, ttl},
		"fails":  {func(s *leaser) { s.set(errors.New("made-up failure"), false) }, context.DeadlineExceeded, ttl},
		"stolen": {func(s *leaser) { steal(t, s.Store) }, store.ErrFenced, ttl / 3},
		"stolen and given up": {func(s *leaser) {
			if err := s.Store.Release(t.Context(), steal(t, s.Store)); err != nil {
				t.Error(err)
			}
		}, store.ErrFenced, ttl / 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &leaser{Store: memstore.New(nil)}
				began := time.Now()
				time.AfterFunc(10*ttl+time.Second, func() { c.end(s) })
				err := keeper(s, "a").Hold(t.Context(), func(ctx context.Context, _ store.Lease) error {
					<-ctx.Done()
					if lasted := time.Since(began); lasted != 10*ttl+c.after {
						t.Errorf("the work lasted %v", lasted)
					}
					return ctx.Err()
				})
				if !errors.Is(err, c.cause) {
					t.Errorf("%v, want %v", err, c.cause)
				}
			})
		})
	}
}

// steal takes a's lease, as if it had run out by the store's clock.
func steal(t *testing.T, s *memstore.Store) store.Lease {
	if _, err := s.Acquire(t.Context(), "work", "a", 0); err != nil { // renewed, for no time at all
		t.Error(err)
	}
	l, err := s.Acquire(t.Context(), "work", "thief", time.Hour)
	if err != nil {
		t.Error(err)
	}
	return l
}

// TestShortOutage: a store that fails or hangs for less than the TTL ends nothing. A
// call that hangs leaves time for the next.
func TestShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaser{Store: memstore.New(nil)}
		k := &lease.Keeper{Store: s, Name: "work", Holder: "a", TTL: ttl}
		err := k.Hold(t.Context(), func(ctx context.Context, l store.Lease) error {
			time.Sleep(time.Second) // so that each outage has one renewal in it
			for range 10 {
				s.set(errors.New("made-up failure"), false)
				time.Sleep(ttl / 3)
				s.set(nil, false)
				time.Sleep(ttl)
				s.set(nil, true)
				time.Sleep(ttl / 3)
				s.set(nil, false)
				time.Sleep(ttl)
			}
			if now, err := s.Store.Acquire(ctx, "work", "a", ttl); err != nil || now.Fence != l.Fence {
				t.Errorf("the lease is %+v, %v; it was %+v", now, err, l)
			}
			return ctx.Err()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestEndsThoughTheStoreHangs: the end of a process does not wait long for a store that
// does not take the lease back.
func TestEndsThoughTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &leaser{Store: memstore.New(nil)}
		k := &lease.Keeper{Store: s, Name: "work", Holder: "a", TTL: ttl}
		ctx, stop := context.WithCancel(t.Context())
		var ended time.Time
		k.Keep(ctx, func(context.Context, store.Lease) error {
			s.set(nil, true)
			stop()
			ended = time.Now()
			return nil
		}, nil)
		if took := time.Since(ended); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
