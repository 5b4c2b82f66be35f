package subscription_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/store"
)

// database is a store in whose transactions a handler writes what it heard.
type database struct {
	store.Store
	mu    sync.Mutex
	wrote []store.Entry
	// fails returns the errors of a handler, and of a commit that is, or is not, done.
	fails func(e store.Entry) (handler, commit error, done bool)
}

func (d *database) transact(ctx context.Context, e store.Entry, _ int, p store.Progress) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	handler, commit, done := d.fails(e)
	if handler != nil {
		return handler
	}
	if commit == nil || done {
		if err := d.progress(ctx, p); err != nil {
			return &subscription.Interrupted{Cause: err}
		}
		d.wrote = append(d.wrote, e)
	}
	if commit != nil {
		return &subscription.Interrupted{Cause: commit}
	}
	return nil
}

// progress is what PostgreSQL does in one transaction.
func (d *database) progress(ctx context.Context, p store.Progress) error {
	at, err := d.Cursor(ctx, p.Lease.Name)
	if err != nil {
		return err
	}
	value, err := d.Sealed(ctx, p.Ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if at != p.From || !bytes.Equal(value, p.Old) {
		return store.ErrFenced
	}
	if err := d.Advance(ctx, p.Lease, p.To); err != nil {
		return err
	}
	if p.New == nil {
		return d.Shred(ctx, p.Ref)
	}
	return d.Reseal(ctx, p.Ref, p.Old, p.New)
}

// TestExactlyOnce: whatever fails, and whenever the worker dies and another one takes over,
// what the handler writes is there once, in order for each integration.
func TestExactlyOnce(t *testing.T) {
	seeds := uint64(150)
	if testkit.Race {
		seeds = 8
	}
	for seed := range seeds {
		sitting(t, func(d desk) {
			random, chance := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1)) // the latter is the database's
			trouble := true
			poor := random.IntN(4) // an integration whose changes fail more often
			db := &database{Store: d.store, fails: func(e store.Entry) (error, error, bool) {
				switch n := chance.IntN(12); {
				case !trouble:
				case n < 2 || n < 10 && e.Integration == fmt.Sprint("hotel ", poor):
					return errMadeUp, nil, false
				case n == 10:
					return nil, errMadeUp, chance.IntN(2) == 0
				}
				return nil, nil, false
			}}
			open := func() (stop func()) {
				sub := subscriber(d.store, nil)
				sub.Attempts, sub.TTL, sub.Within = 1<<30, 3*time.Second, db.transact
				return start(sub)
			}
			stop := open()
			for range 60 {
				names := []string{"hotel 0", "hotel 1", "hotel 2", "hotel 3", "unwanted"}
				d.commit(names[random.IntN(len(names))])
				time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
				if random.IntN(8) == 0 {
					stop()
					stop = open()
				}
			}
			db.mu.Lock()
			trouble = false
			db.mu.Unlock()
			time.Sleep(10 * time.Minute)
			stop()
			d.settled(seed, db)
		})
	}
}

// settled fails the test unless everything that is wanted was written once, in order, and
// nothing is left beside the cursor.
func (d desk) settled(seed uint64, db *database) {
	d.Helper()
	got := map[string][]string{}
	for _, e := range db.wrote {
		got[e.Integration] = append(got[e.Integration], what(e))
	}
	for integration, n := range d.versions {
		var want []string
		for version := range n {
			want = append(want, fmt.Sprint(integration, version+1))
		}
		if integration != "unwanted" && !slices.Equal(got[integration], want) {
			d.Errorf("seed %d: written are %v, want %v", seed, got[integration], want)
		}
	}
	if _, last, err := d.store.Bounds(d.Context()); err != nil || d.state().Position != last {
		d.Errorf("seed %d: done up to %d of %d, %v", seed, d.state().Position, last, err)
	}
}

// TestOthersGoOn: where one integration's changes fail, those of others are written, and not
// again after a restart. Beyond as many as are kept beside the cursor they wait.
func TestOthersGoOn(t *testing.T) {
	sitting(t, func(d desk) {
		fails := true
		db := &database{Store: d.store, fails: func(e store.Entry) (error, error, bool) {
			if fails && e.Integration != "well" {
				return errMadeUp, nil, false
			}
			return nil, nil, false
		}}
		wrote := func() int { db.mu.Lock(); defer db.mu.Unlock(); return len(db.wrote) }
		open := func() (stop func()) {
			sub := subscriber(d.store, nil)
			sub.Attempts, sub.Within = 1<<30, db.transact
			stop = start(sub)
			time.Sleep(time.Minute)
			return stop
		}
		d.commit("ill", "well", "well")
		stop := open()
		if n := wrote(); n != 2 {
			t.Fatalf("%d are written, want 2", n)
		}
		stop()
		d.commit("ill", "well")
		stop = open()
		if n := wrote(); n != 3 {
			t.Fatalf("after a restart %d are written, want 3", n)
		}
		for i := range 255 {
			d.commit(fmt.Sprint("ill ", i))
		}
		d.commit("well")
		time.Sleep(time.Minute)
		if n := wrote(); n != 3 {
			t.Fatalf("where too many fail %d are written, want 3", n)
		}
		db.mu.Lock()
		fails = false
		db.mu.Unlock()
		time.Sleep(2 * time.Hour)
		stop()
		d.settled(0, db)
	})
}

// TestRewoundIsWrittenAgain: a person who rewinds a subscription wants its handler called
// again, with what is done beyond the cursor too.
func TestRewoundIsWrittenAgain(t *testing.T) {
	sitting(t, func(d desk) {
		db := &database{Store: d.store, fails: func(e store.Entry) (error, error, bool) {
			if e.Integration == "ill" {
				return errMadeUp, nil, false
			}
			return nil, nil, false
		}}
		sub := subscriber(d.store, nil)
		sub.Attempts, sub.Within = 1<<30, db.transact
		defer start(sub)()
		d.commit("ill", "well")
		time.Sleep(time.Minute)
		d.do(subscription.Rewind(t.Context(), d.store, "mail", 0))
		time.Sleep(time.Minute)
		synctest.Wait()
		db.mu.Lock()
		defer db.mu.Unlock()
		if len(db.wrote) != 2 || what(db.wrote[1]) != "well1" {
			t.Errorf("written are %d", len(db.wrote))
		}
	})
}
