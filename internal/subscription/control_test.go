package subscription_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/store"
)

// TestPauseAndRewind: a pause lasts across restarts, and a rewind brings the same
// entries again.
func TestPauseAndRewind(t *testing.T) {
	sitting(t, func(d desk) {
		d.commit("a")
		e := new(ear)
		stop := start(subscriber(d.store, e))
		d.do(subscription.Pause(t.Context(), d.store, "mail"))
		time.Sleep(2 * time.Second)
		d.commit("a")
		time.Sleep(time.Minute)
		stop()
		stop = start(subscriber(d.store, e))
		time.Sleep(time.Minute)
		e.wants(t, "while paused", "a1")
		if err := subscription.Rewind(t.Context(), d.store, "mail", 99); !errors.Is(err, subscription.ErrBeyond) {
			t.Errorf("rewound beyond the end: %v", err)
		}
		d.do(subscription.Rewind(t.Context(), d.store, "mail", 0))
		time.Sleep(2 * time.Second)
		e.wants(t, "rewound while paused", "a1")
		d.do(subscription.Resume(t.Context(), d.store, "mail"))
		time.Sleep(time.Minute)
		stop()
		e.wants(t, "rewound and resumed", "a1", "a1", "a2")
		if e.heard[0].ID != e.heard[1].ID {
			t.Error("after a rewind an entry has another id")
		}
	})
}

// TestPausedWhileItFails: a subscription that is paused while something fails does
// nothing, not even try again.
func TestPausedWhileItFails(t *testing.T) {
	sitting(t, func(d desk) {
		e := &ear{fails: always}
		defer start(subscriber(d.store, e))()
		d.commit("a")
		time.Sleep(2 * time.Second)
		d.do(subscription.Pause(t.Context(), d.store, "mail"))
		time.Sleep(time.Minute) // would never end if the subscriber did not sleep
		e.failing(nil)
		time.Sleep(time.Minute)
		e.wants(t, "while paused")
		d.do(subscription.Resume(t.Context(), d.store, "mail"))
		time.Sleep(2 * time.Second)
		e.wants(t, "after resuming", "a1")
	})
}

// TestRewindWhileItFails: what failed and what waits behind it is read again after a
// rewind, and handled once.
func TestRewindWhileItFails(t *testing.T) {
	sitting(t, func(d desk) {
		e := &ear{fails: func(what string) bool { return what == "a1" }}
		defer start(subscriber(d.store, e))()
		d.commit("a", "a", "b")
		time.Sleep(2 * time.Second)
		e.wants(t, "while a1 fails", "b1")
		d.do(subscription.Rewind(t.Context(), d.store, "mail", 0))
		time.Sleep(2 * time.Second)
		e.failing(nil)
		time.Sleep(time.Minute)
		if got := e.all(); !slices.Equal(got, []string{"b1", "b1", "a1", "a2"}) && !slices.Equal(got, []string{"b1", "a1", "a2", "b1"}) {
			t.Errorf("heard %v", got)
		}
	})
}

// slowControl is a store that takes its time to say that a rewind was written.
type slowControl struct{ store.Store }

func (s slowControl) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	err := s.Store.Reseal(ctx, ref, old, new)
	if bytes.Contains(new, []byte("Rewind")) {
		time.Sleep(3 * time.Second)
	}
	return err
}

// TestRewoundOnce: a rewind that is obeyed before its caller knows that it was written
// is not wanted again.
func TestRewoundOnce(t *testing.T) {
	sitting(t, func(d desk) {
		e := new(ear)
		defer start(subscriber(d.store, e))()
		d.commit("a")
		time.Sleep(2 * time.Second)
		asked := time.Now()
		d.do(subscription.Rewind(t.Context(), slowControl{d.store}, "mail", 0))
		if time.Since(asked) < 3*time.Second {
			t.Error("the store was not slow")
		}
		time.Sleep(10 * time.Second)
		e.wants(t, "after a rewind", "a1", "a1")
	})
}

// TestWishesAtOnce: of what several operators want at the same time, nothing is lost.
func TestWishesAtOnce(t *testing.T) {
	sitting(t, func(d desk) {
		d.commit("a")
		e := new(ear)
		defer start(subscriber(d.store, e))()
		var all sync.WaitGroup
		all.Go(func() { d.do(subscription.Pause(t.Context(), slowControl{d.store}, "mail")) })
		all.Go(func() { d.do(subscription.Rewind(t.Context(), slowControl{d.store}, "mail", 0)) })
		all.Wait()
		time.Sleep(2 * time.Second)
		e.wants(t, "paused and rewound", "a1")
		if state := d.state(); !state.Paused || state.Position != 0 {
			t.Errorf("%+v, want it paused at the beginning", state)
		}
	})
}

// TestNames: names are free, and none is taken for what is kept of another.
func TestNames(t *testing.T) {
	sitting(t, func(d desk) {
		names := []string{"a", "a dead b", "mark a", "a control"}
		e := &ear{fails: always}
		stops := map[string]func(){}
		for _, name := range names {
			sub := subscriber(d.store, e)
			sub.Name, sub.Attempts = name, 1
			stops[name] = start(sub)
			defer stops[name]()
		}
		d.commit("x")
		time.Sleep(2 * time.Second)
		for _, name := range names {
			d.do(subscription.Pause(t.Context(), d.store, name))
			if letters, err := subscription.DeadLetters(t.Context(), d.store, name); err != nil || len(letters) != 1 {
				t.Errorf("%q has %d dead letters, %v", name, len(letters), err)
			}
		}
		states, err := subscription.States(t.Context(), d.store)
		if err != nil || len(states) != len(names) {
			t.Fatalf("%d subscriptions, %v", len(states), err)
		}
		for _, state := range states {
			if state.Dead != 1 || !state.Paused || state.Position != 1 {
				t.Errorf("%+v", state)
			}
		}
		stops["a"]()
		d.do(subscription.Forget(t.Context(), d.store, "a"))
		if states, err = subscription.States(t.Context(), d.store); err != nil || len(states) != len(names)-1 {
			t.Fatalf("%d subscriptions after one was forgotten, %v", len(states), err)
		}
		for _, state := range states {
			if state.Dead != 1 || !state.Paused {
				t.Errorf("after another was forgotten: %+v", state)
			}
		}
	})
}

// TestDoneBefore: the subscription that is furthest behind counts, and none counts
// beyond the end.
func TestDoneBefore(t *testing.T) {
	sitting(t, func(d desk) {
		done := func() store.Position {
			at, err := subscription.DoneBefore(t.Context(), d.store, 100)
			d.do(err)
			return at
		}
		if at := done(); at != 100 {
			t.Errorf("%d without a subscription", at)
		}
		e := &ear{fails: func(what string) bool { return what == "b1" }}
		defer start(subscriber(d.store, e))()
		d.commit("a", "b", "a")
		time.Sleep(2 * time.Second)
		other := subscriber(d.store, new(ear))
		other.Name = "other"
		defer start(other)()
		time.Sleep(time.Second)
		if at := done(); at != 1 {
			t.Errorf("%d while the second entry fails", at)
		}
		e.failing(nil)
		time.Sleep(time.Minute)
		if at := done(); at != 3 {
			t.Errorf("%d after all was done", at)
		}
		if at, err := subscription.DoneBefore(t.Context(), d.store, 2); at != 2 || err != nil {
			t.Errorf("%d, %v, where 2 is the end", at, err)
		}
	})
}

// TestForgettingARunningSubscription: it is refused and forgets nothing, until the
// subscription has ended.
func TestForgettingARunningSubscription(t *testing.T) {
	sitting(t, func(d desk) {
		d.commit("a")
		e := &ear{fails: always}
		sub := subscriber(d.store, e)
		sub.Attempts = 1
		stop := start(sub)
		for _, do := range []func(context.Context, store.Store, string) error{subscription.Resume, subscription.Pause} {
			d.do(do(t.Context(), d.store, "mail"))
			time.Sleep(2 * time.Second)
			if err := subscription.Forget(t.Context(), d.store, "mail"); !errors.Is(err, subscription.ErrRunning) {
				t.Errorf("forgetting what runs: %v", err)
			}
			if state := d.state(); state.Dead != 1 {
				t.Errorf("%+v after forgetting was refused", state)
			}
		}
		stop()
		d.do(subscription.Forget(t.Context(), d.store, "mail"))
		if states, err := subscription.States(t.Context(), d.store); err != nil || len(states) != 0 {
			t.Errorf("left: %+v, %v", states, err)
		}
	})
}

// TestRetryingDeadLetters: from a dead letter on, the handler gets everything again; older
// letters stay, and one that fails again is a letter again, however soon it fails.
func TestRetryingDeadLetters(t *testing.T) {
	sitting(t, func(d desk) {
		d.commit("a", "b", "c", "d")
		e := &ear{fails: func(what string) bool { return what == "a1" || what == "b1" || what == "d1" }}
		sub := subscriber(d.store, e)
		sub.Attempts = 1
		stop := start(sub)
		left := func(when string, want ...store.Position) {
			t.Helper()
			letters, err := subscription.DeadLetters(t.Context(), d.store, "mail")
			var at []store.Position
			for _, l := range letters {
				at = append(at, l.Position)
			}
			if slices.Sort(at); err != nil || !slices.Equal(at, want) || d.state().Dead != len(want) {
				t.Errorf("%s: %v, %v, want %v", when, at, err, want)
			}
		}
		time.Sleep(2 * time.Second)
		e.wants(t, "at first", "c1")
		for range 20 { // each fails again at once, while it is being asked for
			if n, after, err := subscription.RetryDeadLetters(t.Context(), d.store, "mail", 2); n != 2 || after != 1 || err != nil {
				t.Fatalf("%d letters, after %d, %v", n, after, err)
			}
			time.Sleep(2 * time.Second)
			left("failed again", 1, 2, 4)
		}
		stop()
		if n, after, err := subscription.RetryDeadLetters(t.Context(), d.store, "mail", 2); n != 2 || after != 1 || err != nil {
			t.Errorf("%d letters, after %d, %v", n, after, err)
		}
		left("while nobody works", 1)
		if _, _, err := subscription.RetryDeadLetters(t.Context(), d.store, "mail", 2); !errors.Is(err, subscription.ErrNoLetters) {
			t.Errorf("where there are none: %v", err)
		}
		e.failing(nil)
		defer start(sub)()
		time.Sleep(2 * time.Second)
		left("tried again", 1)
		if all := e.all(); !slices.Equal(all[len(all)-3:], []string{"b1", "c1", "d1"}) {
			t.Errorf("heard %v", all)
		}
	})
}
