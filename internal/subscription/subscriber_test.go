package subscription_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/store"
)

// TestRestart: what a subscriber has not finished reaches it after a restart, and what
// it has finished does not.
func TestRestart(t *testing.T) {
	sitting(t, func(d desk) {
		d.commit("a")
		e := new(ear)
		sub := subscriber(d.store, e)
		sub.Begin = 1
		stop := start(sub)
		d.commit("a")
		time.Sleep(2 * time.Second)
		stop()
		d.commit("a", "a")
		stop = start(subscriber(d.store, e)) // of a name that is known, Begin says nothing
		stop()
		e.wants(t, "after a restart", "a2", "a3", "a4")
	})
}

// TestRestartOfAnEmptyStore: a name that began with an empty store has missed nothing
// when it comes again.
func TestRestartOfAnEmptyStore(t *testing.T) {
	sitting(t, func(d desk) {
		e := &ear{fails: always}
		stop := start(subscriber(d.store, e))
		d.commit("a")
		time.Sleep(2 * time.Second)
		stop() // before anything was done
		e.failing(nil)
		sub := subscriber(d.store, e)
		sub.Begin = 1
		stop = start(sub)
		time.Sleep(2 * time.Second)
		stop()
		e.wants(t, "after a restart", "a1")
	})
}

// dying is a store that dies when the place of a new name is to be noted for good.
type dying struct {
	store.Store
	marks atomic.Int64
}

func (s *dying) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	if ref.Name == "subscribed mail" && s.marks.Add(1) > 1 {
		return errMadeUp
	}
	return s.Store.Reseal(ctx, ref, old, new)
}

func (s *dying) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	return errMadeUp
}

// TestBeginningSurvivesACrash: a new name begins where it was first told, though it
// came no further than to note that.
func TestBeginningSurvivesACrash(t *testing.T) {
	sitting(t, func(d desk) {
		d.commit("a")
		e := new(ear)
		sub := subscriber(&dying{Store: d.store}, e)
		sub.Begin = 1
		start(sub)()
		d.commit("a", "a")
		sub = subscriber(d.store, e)
		sub.Begin = 3
		defer start(sub)()
		e.wants(t, "after a crash", "a2", "a3")
	})
}

// TestForgottenNameBeginsAnew: a name that is forgotten and comes again is a new one.
func TestForgottenNameBeginsAnew(t *testing.T) {
	sitting(t, func(d desk) {
		e := new(ear)
		stop := start(subscriber(d.store, e))
		d.commit("a")
		time.Sleep(2 * time.Second)
		stop()
		d.do(subscription.Forget(t.Context(), d.store, "mail"))
		if states, err := subscription.States(t.Context(), d.store); err != nil || len(states) != 0 {
			t.Errorf("forgotten, and still there: %+v, %v", states, err)
		}
		d.commit("a")
		sub := subscriber(d.store, e)
		sub.Begin = 2
		stop = start(sub)
		d.commit("a")
		time.Sleep(2 * time.Second)
		stop()
		e.wants(t, "after it came again", "a1", "a3")
	})
}

// TestOneWorker: of two that work for a name one is called, and the other one takes
// over where it stood.
func TestOneWorker(t *testing.T) {
	sitting(t, func(d desk) {
		one, two := new(ear), new(ear)
		stopOne := start(subscriber(d.store, one))
		stopTwo := start(subscriber(d.store, two))
		d.commit("a", "a")
		time.Sleep(time.Minute)
		one.wants(t, "the first", "a1", "a2")
		two.wants(t, "the second")
		stopOne()
		d.commit("a")
		time.Sleep(2 * time.Minute)
		stopTwo()
		two.wants(t, "the second, alone", "a3")
	})
}

// hanging is a store whose leases hang when told to.
type hanging struct {
	store.Store
	hang atomic.Bool
}

func (s *hanging) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if s.hang.Load() {
		<-ctx.Done()
		return store.Lease{}, ctx.Err()
	}
	return s.Store.Acquire(ctx, name, holder, ttl)
}

// TestStopsBeforeAnotherBegins: a handler's context ends when the lease cannot be
// renewed, before another subscriber may begin.
func TestStopsBeforeAnotherBegins(t *testing.T) {
	sitting(t, func(d desk) {
		s := &hanging{Store: d.store}
		var mu sync.Mutex
		var ended, began time.Time
		one := subscriber(s, nil)
		one.Handle = func(ctx context.Context, _ store.Entry, _ int) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			ended = time.Now()
			return ctx.Err()
		}
		defer start(one)()
		time.Sleep(time.Second) // so that the two do not ask at the same time
		two := subscriber(d.store, nil)
		two.Handle = func(context.Context, store.Entry, int) error {
			mu.Lock()
			defer mu.Unlock()
			began = time.Now()
			return nil
		}
		defer start(two)()
		d.commit("a")
		time.Sleep(time.Minute)
		s.hang.Store(true)
		time.Sleep(2 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if ended.IsZero() || began.IsZero() || ended.After(began) {
			t.Errorf("the one stopped at %v, the other began at %v", ended, began)
		}
	})
}

// TestForkBeforeTheTurn: the store went back while another instance worked for the name and
// ended without noticing. What came to the new history up to the old cursor is heard.
func TestForkBeforeTheTurn(t *testing.T) {
	sitting(t, func(d desk) {
		e := new(ear)
		sub := subscriber(d.store, e)
		d.commit("a", "a", "a", "a")
		start(sub)()
		e.wants(t, "at first", "a1", "a2", "a3", "a4")
		forks := []store.Position{2, 3} // since then
		sub = subscriber(d.store, e)
		sub.Fork = func(since int) (store.Position, int) { return slices.Min(append(forks[since:], 99)), len(forks) }
		start(sub)()
		e.wants(t, "of the new history", "a1", "a2", "a3", "a4", "a3", "a4")
		start(sub)()
		e.wants(t, "the next turn repeats nothing", "a1", "a2", "a3", "a4", "a3", "a4")
	})
}
