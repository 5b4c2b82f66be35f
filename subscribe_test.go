package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// heard is what a subscription's handler was called with.
type heard struct {
	mu   sync.Mutex
	all  []keyrack.Entry
	fail func(keyrack.Entry) error
}

func (h *heard) handle(_ context.Context, e keyrack.Entry) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		if err := h.fail(e); err != nil {
			return err
		}
	}
	h.all = append(h.all, e)
	return nil
}

// of returns the statuses that were heard of an integration, in order.
func (h *heard) of(integration string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var s []string
	for _, e := range h.all {
		if e.Integration == integrationID(integration) {
			s = append(s, e.Is.String())
		}
	}
	return fmt.Sprint(s)
}

func (h *heard) failing(fail func(keyrack.Entry) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail = fail
}

type fixture struct {
	*testing.T
	store  *memstore.Store
	sealer seal.Sealer
}

func (f fixture) open() bench { return f.keeping(f.store, keyrack.Retention{}) }

// keeping opens a Rack on the fixture's store, or on one that stands before it.
func (f fixture) keeping(s store.Store, retention keyrack.Retention) bench {
	f.Helper()
	rack, err := keyrack.Open(f.Context(), s, &keyrack.Options{Sealer: f.sealer, Horizon: time.Second, Retention: retention})
	if err != nil {
		f.Fatal(err)
	}
	return bench{T: f.T, Rack: rack, store: f.store}
}

func subscribing(t *testing.T, test func(f fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(fixture{t, memstore.New(nil), seal.Ephemeral()}) })
}

func (b bench) toggle(integration string, on bool) {
	b.Helper()
	action := lifecycle.IntegrationDisabled
	if on {
		action = lifecycle.IntegrationEnabled
	}
	time.Sleep(2 * time.Second) // beyond the horizon
	b.deliver(webhook(action, integration, nil))
}

func (b bench) subscribe(h *heard, options *keyrack.SubscribeOptions) {
	b.Helper()
	if err := b.Subscribe("test", h.handle, options); err != nil {
		b.Fatal(err)
	}
	synctest.Wait()
}

// What a subscriber has not finished reaches it after a restart, and what it has
// finished does not.
func TestSubscriptionSurvivesARestart(t *testing.T) {
	subscribing(t, func(f fixture) {
		var h heard
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes)) // before there was a subscription
		b.subscribe(&h, nil)
		b.toggle("a", false)
		settle(2 * time.Second)
		b.Close()
		b = f.open()
		b.toggle("a", true)
		b.toggle("a", false)
		b.subscribe(&h, nil)
		settle(2 * time.Second)
		b.Close()
		if got, want := h.of("a"), "[invalid valid invalid]"; got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	})
}

// A name that began with an empty store has missed nothing when it comes again.
func TestSubscriptionOfAnEmptyStoreSurvivesARestart(t *testing.T) {
	subscribing(t, func(f fixture) {
		var h heard
		h.failing(func(keyrack.Entry) error { return errors.New("made-up failure") })
		b := f.open()
		b.subscribe(&h, nil)
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(2 * time.Second)
		b.Close() // before anything was done
		h.failing(nil)
		b = f.open()
		b.subscribe(&h, nil)
		settle(2 * time.Second)
		b.Close()
		if got, want := h.of("a"), "[valid]"; got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	})
}

// A name that is forgotten and comes again is a new one.
func TestSubscriptionBeginsAnewOnceForgotten(t *testing.T) {
	subscribing(t, func(f fixture) {
		var h heard
		b := f.open()
		b.subscribe(&h, nil)
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(2 * time.Second)
		b.Close()
		b = f.open()
		if err := atrest.Unsubscribe(context.Background(), b.store, "test"); err != nil {
			t.Fatal(err)
		}
		b.toggle("a", false)
		b.subscribe(&h, nil)
		b.toggle("a", true)
		settle(2 * time.Second)
		b.Close()
		if got, want := h.of("a"), "[valid valid]"; got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	})
}

// A change that fails holds up its own integration, in order, and no other.
func TestSubscriptionFailureHoldsUpNobodyElse(t *testing.T) {
	subscribing(t, func(f fixture) {
		var h heard
		b := f.open()
		defer b.Close()
		b.subscribe(&h, &keyrack.SubscribeOptions{FromStart: true})
		h.failing(func(e keyrack.Entry) error {
			if e.Integration == integrationID("a") {
				return errors.New("made-up failure")
			}
			return nil
		})
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "l", lifecycle.Yes))
		b.toggle("a", false)
		b.toggle("b", false)
		settle(10 * time.Second)
		if h.of("a") != "[]" || h.of("b") != "[valid invalid]" {
			t.Errorf("heard %v of a and %v of b", h.of("a"), h.of("b"))
		}
		h.failing(nil)
		settle(10 * time.Minute)
		if h.of("a") != "[valid invalid]" {
			t.Errorf("heard %v of a after it recovered", h.of("a"))
		}
	})
}

// After its attempts, a change becomes a dead letter, and what waited goes on. A
// panic counts as a failure.
func TestSubscriptionBuriesWhatAlwaysFails(t *testing.T) {
	subscribing(t, func(f fixture) {
		var h heard
		b := f.open()
		defer b.Close()
		b.subscribe(&h, &keyrack.SubscribeOptions{FromStart: true, Attempts: 3})
		h.failing(func(e keyrack.Entry) error {
			if e.Is == lifecycle.Valid {
				panic("made-up panic")
			}
			return nil
		})
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.toggle("a", false)
		settle(time.Minute)
		if h.of("a") != "[invalid]" {
			t.Errorf("heard %v", h.of("a"))
		}
		letters, err := atrest.DeadLetters(context.Background(), b.store, "test")
		if err != nil || len(letters) != 1 || letters[0].Integration != integrationID("a") || letters[0].Attempts != 3 {
			t.Fatalf("dead letters %+v, %v", letters, err)
		}
		if err := atrest.DiscardDeadLetters(context.Background(), b.store, "test", letters...); err != nil {
			t.Fatal(err)
		}
		if letters, err := atrest.DeadLetters(context.Background(), b.store, "test"); err != nil || len(letters) != 0 {
			t.Errorf("dead letters %+v after they were discarded, %v", letters, err)
		}
	})
}

func TestSubscriptionIsPausedAndReplayed(t *testing.T) {
	subscribing(t, func(f fixture) {
		var h heard
		b := f.open()
		defer b.Close()
		b.subscribe(&h, &keyrack.SubscribeOptions{FromStart: true})
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(2 * time.Second)
		if err := atrest.Pause(context.Background(), b.store, "test"); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Second)
		b.toggle("a", false)
		settle(time.Minute)
		if h.of("a") != "[valid]" {
			t.Errorf("heard %v while paused", h.of("a"))
		}
		if err := atrest.Resume(context.Background(), b.store, "test"); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Second)
		if h.of("a") != "[valid invalid]" {
			t.Errorf("heard %v after resuming", h.of("a"))
		}
		if err := atrest.Rewind(context.Background(), b.store, "test", 0); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Second)
		if h.of("a") != "[valid invalid valid invalid]" {
			t.Errorf("heard %v after a replay", h.of("a"))
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.all[0].ID != h.all[2].ID || h.all[1].ID != h.all[3].ID {
			t.Error("a replayed entry has another id")
		}
	})
}

// Of the instances with a name one works, and another takes over when it ends.
func TestSubscriptionHasOneWorker(t *testing.T) {
	subscribing(t, func(f fixture) {
		var one, two heard
		first, second := f.open(), f.open()
		defer second.Close()
		first.subscribe(&one, &keyrack.SubscribeOptions{FromStart: true})
		second.subscribe(&two, &keyrack.SubscribeOptions{FromStart: true})
		first.deliver(creation("a", "k", lifecycle.Yes))
		second.toggle("a", false)
		settle(time.Minute)
		if one.of("a") != "[valid invalid]" || two.of("a") != "[]" {
			t.Errorf("the first heard %v, the second %v", one.of("a"), two.of("a"))
		}
		first.Close()
		second.toggle("a", true)
		settle(2 * time.Minute)
		if two.of("a") != "[valid]" {
			t.Errorf("the second heard %v after the first ended", two.of("a"))
		}
	})
}

func TestSubscriptionKinds(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		kinds := []keyrack.ChangeKind{keyrack.ChangeStatus, keyrack.ChangeState, keyrack.ChangeToken, keyrack.ChangeAlarm, keyrack.ChangeAny}
		heards := make([]heard, len(kinds))
		for i, kind := range kinds {
			err := b.Subscribe(string(kind), heards[i].handle, &keyrack.SubscribeOptions{FromStart: true, Kinds: []keyrack.ChangeKind{kind}})
			if err != nil {
				t.Fatal(err)
			}
		}
		b.deliver(creation("a", "k", lifecycle.Yes))                  // status, state, token
		b.deliver(creation("a", "k", lifecycle.Yes))                  // any
		b.deliver(creation("a", "k", lifecycle.Yes, atHotel("else"))) // alarm
		b.toggle("a", false)                                          // status, state
		b.deliver(rotation("a", "new"))                               // token
		settle(2 * time.Second)
		var got []int
		for i := range heards {
			got = append(got, len(heards[i].all))
		}
		if want := []int{2, 2, 2, 1, 5}; !slices.Equal(got, want) {
			t.Errorf("heard %v of %v, want %v", got, kinds, want)
		}
		if err := b.Subscribe("status", heards[0].handle, nil); !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("a name twice: %v", err)
		}
	})
}

// A subscription that is paused while something fails does nothing, not even ask.
func TestSubscriptionPausedWhileItFails(t *testing.T) {
	subscribing(t, func(f fixture) {
		var h heard
		h.failing(func(keyrack.Entry) error { return errors.New("made-up failure") })
		b := f.open()
		defer b.Close()
		b.subscribe(&h, nil)
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(2 * time.Second)
		if err := atrest.Pause(context.Background(), b.store, "test"); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute) // would never end if it did not sleep
		h.failing(nil)
		settle(time.Minute)
		if got := h.of("a"); got != "[]" {
			t.Errorf("heard %v while paused", got)
		}
		if err := atrest.Resume(context.Background(), b.store, "test"); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Second)
		if got, want := h.of("a"), "[valid]"; got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	})
}

// A long backlog is worked off in strides: the operator is heard meanwhile, and
// what was done is not done again after a crash.
func TestSubscriptionIsPausedInALongBacklog(t *testing.T) {
	subscribing(t, func(f fixture) {
		var h heard
		b := f.open()
		for i := range 200 {
			b.deliver(creation(fmt.Sprint(i), fmt.Sprint("k", i), lifecycle.Yes))
		}
		slow := func(ctx context.Context, e keyrack.Entry) error {
			time.Sleep(100 * time.Millisecond)
			return h.handle(ctx, e)
		}
		if err := b.Subscribe("test", slow, &keyrack.SubscribeOptions{FromStart: true}); err != nil {
			t.Fatal(err)
		}
		settle(5 * time.Second)
		if err := atrest.Pause(context.Background(), b.store, "test"); err != nil {
			t.Fatal(err)
		}
		settle(3 * time.Second)
		h.mu.Lock()
		done := len(h.all)
		h.mu.Unlock()
		if done > 70 {
			t.Errorf("%d calls in 5 s and a pause", done)
		}
		states, err := atrest.Subscriptions(context.Background(), b.store)
		if err != nil || len(states) != 1 || int(states[0].Position) != done {
			t.Errorf("%d calls, and the subscription is %+v, %v", done, states, err)
		}
		b.Close()
	})
}

// slowLeases is a store whose leases take their time, or for ever.
type slowLeases struct {
	store.Store
	delay time.Duration
	hang  atomic.Bool
}

func (s *slowLeases) Volatile() bool { return true }

func (s *slowLeases) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	time.Sleep(s.delay)
	if s.hang.Load() {
		<-ctx.Done()
		return store.Lease{}, ctx.Err()
	}
	return s.Store.Acquire(ctx, name, holder, ttl)
}

// A new name begins with what comes after Subscribe, though it takes a while
// until it works.
func TestSubscriptionBeginsWhenItIsMade(t *testing.T) {
	subscribing(t, func(f fixture) {
		rack, err := keyrack.Open(context.Background(), &slowLeases{Store: f.store, delay: 10 * time.Second}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		b := bench{T: t, Rack: rack, store: f.store}
		b.deliver(creation("a", "k", lifecycle.Yes))
		var h heard
		if err := b.Subscribe("test", h.handle, nil); err != nil {
			t.Fatal(err)
		}
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		settle(time.Minute)
		if got, want := h.of("a"), "[invalid]"; got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	})
}

// Who cannot renew his lease stops before another may begin.
func TestSubscriptionStopsWhenItsLeaseRunsOut(t *testing.T) {
	subscribing(t, func(f fixture) {
		var first slowLeases
		first.Store = f.store
		var mu sync.Mutex
		var ended, began time.Time
		open := func(s store.Store, handle func(context.Context, keyrack.Entry) error) *keyrack.Rack {
			rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: f.sealer})
			if err != nil {
				t.Fatal(err)
			}
			if err := rack.Subscribe("test", handle, &keyrack.SubscribeOptions{FromStart: true, Timeout: time.Hour}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return rack
		}
		one := open(&first, func(ctx context.Context, _ keyrack.Entry) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			ended = time.Now()
			return ctx.Err()
		})
		defer one.Close()
		time.Sleep(time.Second) // so that the two do not ask at the same time
		two := open(f.store, func(context.Context, keyrack.Entry) error {
			mu.Lock()
			defer mu.Unlock()
			began = time.Now()
			return nil
		})
		defer two.Close()
		bench{T: t, Rack: one}.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		first.hang.Store(true)
		settle(2 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if ended.IsZero() || began.IsZero() || ended.After(began) {
			t.Errorf("the one stopped at %v, the other began at %v", ended, began)
		}
	})
}

// Names are free: none is taken for what is kept of another.
func TestSubscriptionNames(t *testing.T) {
	subscribing(t, func(f fixture) {
		ctx := context.Background()
		b := f.open()
		defer b.Close()
		names := []string{"a", "a dead b", "mark a", "a control"}
		h := heard{fail: func(keyrack.Entry) error { return errors.New("made-up failure") }}
		for _, name := range names {
			if err := b.Subscribe(name, h.handle, &keyrack.SubscribeOptions{Attempts: 1}); err != nil {
				t.Fatal(err)
			}
		}
		settle(time.Second)
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(2 * time.Second)
		for _, name := range names {
			if err := atrest.Pause(ctx, b.store, name); err != nil {
				t.Fatal(err)
			}
			if letters, err := atrest.DeadLetters(ctx, b.store, name); err != nil || len(letters) != 1 {
				t.Errorf("%q has %d dead letters, %v", name, len(letters), err)
			}
		}
		states, err := atrest.Subscriptions(ctx, b.store)
		if err != nil || len(states) != len(names) {
			t.Fatalf("%d subscriptions, %v", len(states), err)
		}
		for _, state := range states {
			if state.Dead != 1 || !state.Paused || state.Position == 0 {
				t.Errorf("%+v", state)
			}
		}
		if err := atrest.Rewind(ctx, b.store, "a", 1<<40); !errors.Is(err, atrest.ErrInvalid) {
			t.Errorf("a rewinding to beyond the end: %v", err)
		}
	})
}

// slowSteering is a store whose answer, that what an operator wants was written,
// takes its time.
type slowSteering struct{ store.Store }

func (s *slowSteering) Volatile() bool { return true }

func (s *slowSteering) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	err := s.Store.Reseal(ctx, ref, old, new)
	if ref.Name == "subscription test control" && bytes.Contains(new, []byte("Replay")) {
		time.Sleep(3 * time.Second)
	}
	return err
}

// A replay that was obeyed before its caller knows of it is not wanted again.
func TestSubscriptionIsReplayedOnce(t *testing.T) {
	subscribing(t, func(f fixture) {
		rack, err := keyrack.Open(context.Background(), &slowSteering{f.store}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		b := bench{T: t, Rack: rack, store: f.store}
		var h heard
		b.subscribe(&h, nil)
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(2 * time.Second)
		if err := atrest.Rewind(context.Background(), b.store, "test", 0); err != nil {
			t.Error(err)
		}
		settle(10 * time.Second)
		if got, want := h.of("a"), "[valid valid]"; got != want {
			t.Errorf("heard %v, want %v", got, want)
		}
	})
}
