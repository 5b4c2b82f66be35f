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

const ttl = 30 * time.Second

var errMadeUp = errors.New("made-up failure")

// ear is a handler that takes down what it heard, and fails as it is told.
type ear struct {
	mu    sync.Mutex
	heard []store.Entry
	fails func(what string) bool
}

// what names an entry by its integration and version.
func what(e store.Entry) string { return fmt.Sprint(e.Integration, e.Version) }

func (e *ear) handle(_ context.Context, entry store.Entry, _ int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fails != nil && e.fails(what(entry)) {
		return errMadeUp
	}
	e.heard = append(e.heard, entry)
	return nil
}

// failing has the handler fail at some entries, and at none if fails is nil.
func (e *ear) failing(fails func(what string) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fails = fails
}

func always(string) bool { return true }

// all returns what was heard, in order.
func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for _, entry := range e.heard {
		all = append(all, what(entry))
	}
	return all
}

func (e *ear) wants(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := e.all(); !slices.Equal(got, want) {
		t.Errorf("%s: heard %v, want %v", when, got, want)
	}
}

// desk is a test with a store, in a bubble.
type desk struct {
	*testing.T
	store    *memstore.Store
	versions map[string]uint64
}

func sitting(t *testing.T, test func(d desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(desk{t, memstore.New(nil), map[string]uint64{}}) })
}

// commit journals an entry of each integration, in order.
func (d desk) commit(integrations ...string) {
	d.Helper()
	for _, id := range integrations {
		_, err := d.store.Commit(d.Context(), store.Commit{
			Entry: store.Entry{ID: store.NewEntryID(time.Now()), Integration: id}, Expect: d.versions[id], Record: []byte("r"),
		})
		if err != nil {
			d.Fatal(err)
		}
		d.versions[id]++
	}
}

// subscriber returns the subscriber "mail" on a store, which tries an entry 50 times.
func subscriber(s store.Store, e *ear) *subscription.Subscriber[store.Entry] {
	never := make(chan struct{})
	return &subscription.Subscriber[store.Entry]{
		Name: "mail", Store: s, TTL: ttl, Attempts: 50,
		Parse:  func(e store.Entry) (store.Entry, error) { return e, nil },
		Wants:  func(e store.Entry) bool { return e.Integration != "unwanted" },
		News:   func() <-chan struct{} { return never },
		Handle: e.handle, Log: slog.New(slog.DiscardHandler),
	}
}

// start runs a subscriber until the function that it returns is called.
func start(sub *subscription.Subscriber[store.Entry]) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { sub.Run(ctx) })
	synctest.Wait()
	return func() { cancel(); done.Wait() }
}

// state returns where the one subscription stands.
func (d desk) state() subscription.State {
	d.Helper()
	states, err := subscription.States(d.Context(), d.store)
	if err != nil || len(states) != 1 || states[0].Name != "mail" {
		d.Fatalf("the subscriptions are %+v, %v", states, err)
	}
	return states[0]
}

// do fails the test unless what an operator does succeeds.
func (d desk) do(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}
