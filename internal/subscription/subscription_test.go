package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// ear is a handler that takes down what it heard, and fails as it is told.
type ear struct {
	mu    sync.Mutex
	heard []string // integration and version
	fail  map[string]bool
}

func (e *ear) handle(_ context.Context, item store.Entry, _ int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	what := fmt.Sprintf("%s%d", item.Integration, item.Version)
	if e.fail[what] {
		return errors.New("made-up failure")
	}
	e.heard = append(e.heard, what)
	return nil
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

// commit journals an entry of an integration.
func commit(t *testing.T, s store.Store, integration string, expect uint64) {
	t.Helper()
	_, err := s.Commit(t.Context(), store.Commit{
		Entry: store.Entry{ID: store.NewEntryID(time.Now()), Integration: integration}, Expect: expect, Record: []byte("r"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a subscriber until the function that it returns is called.
func start(s store.Store, e *ear, attempts int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	never := make(chan struct{})
	sub := &subscription.Subscriber[store.Entry]{
		Name: "mail", Store: s, TTL: 30 * time.Second, Attempts: attempts,
		Parse: func(e store.Entry) (store.Entry, error) { return e, nil },
		Wants: func(e store.Entry) bool { return e.Integration != "unwanted" },
		News:  func() <-chan struct{} { return never }, Handle: e.handle, Log: slog.New(slog.DiscardHandler),
	}
	var done sync.WaitGroup
	done.Go(func() { sub.Run(ctx) })
	return func() { cancel(); done.Wait() }
}

// TestOrderAndDeadLetters: a failing integration holds up itself alone, its entries
// keep their order, and after the last attempt the rest goes on.
func TestOrderAndDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		for i := range uint64(3) {
			commit(t, s, "a", i)
			commit(t, s, "b", i)
			commit(t, s, "unwanted", i)
		}
		e := &ear{fail: map[string]bool{"a2": true}}
		stop := start(s, e, 5)
		defer stop()
		synctest.Wait()
		if got, want := e.all(), []string{"a1", "b1", "b2", "b3"}; !slices.Equal(got, want) {
			t.Errorf("heard %v while a2 fails, want %v", got, want)
		}
		states, err := subscription.States(t.Context(), s)
		if err != nil || len(states) != 1 || states[0].Position >= 9 {
			t.Errorf("the cursor passed what is not done: %+v, %v", states, err)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got, want := e.all(), []string{"a1", "b1", "b2", "b3", "a3"}; !slices.Equal(got, want) {
			t.Errorf("heard %v after the last attempt, want %v", got, want)
		}
		letters, err := subscription.DeadLetters(t.Context(), s, "mail")
		if err != nil || len(letters) != 1 || letters[0].Integration != "a" || letters[0].Attempts != 5 {
			t.Fatalf("dead letters: %+v, %v", letters, err)
		}
		states, _ = subscription.States(t.Context(), s)
		_, last, _ := s.Bounds(t.Context())
		if states[0].Position != last || states[0].Dead != 1 {
			t.Errorf("%+v, the journal ends at %d", states, last)
		}
		if done, err := subscription.DoneBefore(t.Context(), s, last+5); err != nil || done != last {
			t.Errorf("done before %d, %v", done, err)
		}
		if err := subscription.DiscardDeadLetters(t.Context(), s, "mail", letters...); err != nil {
			t.Fatal(err)
		}
		if letters, err = subscription.DeadLetters(t.Context(), s, "mail"); err != nil || len(letters) != 0 {
			t.Errorf("after discarding: %+v, %v", letters, err)
		}
	})
}

// TestWhatTheOperatorWants: a pause lasts across restarts, and a rewinding brings the
// same entries again.
func TestWhatTheOperatorWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		commit(t, s, "a", 0)
		e := new(ear)
		stop := start(s, e, 5)
		synctest.Wait()
		if err := subscription.Pause(t.Context(), s, "mail"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		commit(t, s, "a", 1)
		time.Sleep(time.Minute)
		stop()
		stop = start(s, e, 5)
		time.Sleep(time.Minute)
		if got := e.all(); !slices.Equal(got, []string{"a1"}) {
			t.Errorf("heard %v while paused", got)
		}
		if err := subscription.Rewind(t.Context(), s, "mail", 99); !errors.Is(err, subscription.ErrBeyond) {
			t.Errorf("rewound beyond the end: %v", err)
		}
		if err := errors.Join(subscription.Rewind(t.Context(), s, "mail", 0), subscription.Resume(t.Context(), s, "mail")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		stop()
		if got := e.all(); !slices.Equal(got, []string{"a1", "a1", "a2"}) {
			t.Errorf("heard %v", got)
		}
		if err := subscription.Forget(t.Context(), s, "mail"); err != nil {
			t.Fatal(err)
		}
		if states, err := subscription.States(t.Context(), s); err != nil || len(states) != 0 {
			t.Errorf("forgotten, and still there: %+v, %v", states, err)
		}
	})
}
