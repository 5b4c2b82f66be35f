package keyrack_test

import (
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
	all  []keyrack.Change
	fail func(keyrack.Change) error
}

func (h *heard) handle(_ context.Context, e keyrack.Change) error {
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

func (h *heard) failing(fail func(keyrack.Change) error) {
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

// After its attempts, a change becomes a dead letter, and what waited goes on. A
// panic counts as a failure.
func TestSubscriptionBuriesWhatAlwaysFails(t *testing.T) {
	subscribing(t, func(f fixture) {
		var h heard
		b := f.open()
		defer b.Close()
		b.subscribe(&h, &keyrack.SubscribeOptions{FromStart: true, Attempts: 3})
		h.failing(func(e keyrack.Change) error {
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

func TestSubscriptionIsPausedAndRewound(t *testing.T) {
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
			t.Errorf("heard %v after a rewind", h.of("a"))
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.all[0].ID != h.all[2].ID || h.all[1].ID != h.all[3].ID {
			t.Error("after a rewind an entry has another id")
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
