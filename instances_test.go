package keyrack_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/deployment"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// wire is an instance's way to the store. Once cut, nothing gets through, and of
// what was under way nobody knows whether it did: so an instance dies.
type wire struct {
	store.Store
	cut atomic.Bool
}

var errCut = errors.New("made-up: the wire is cut")

func (w *wire) check() error {
	if w.cut.Load() {
		return errCut
	}
	return nil
}

func (w *wire) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if err := w.check(); err != nil {
		return store.Committed{}, err
	}
	receipt, err := w.Store.Commit(ctx, c)
	if cut := w.check(); cut != nil {
		return store.Committed{}, cut
	}
	return receipt, err
}

func (w *wire) Load(ctx context.Context, id string) (store.Stored, error) {
	if err := w.check(); err != nil {
		return store.Stored{}, err
	}
	return w.Store.Load(ctx, id)
}

func (w *wire) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for e, err := range w.Store.Journal(ctx, after) {
			if cut := w.check(); cut != nil {
				yield(store.Entry{}, cut)
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func (w *wire) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if err := w.check(); err != nil {
		return store.Lease{}, err
	}
	return w.Store.Acquire(ctx, name, holder, ttl)
}

func (w *wire) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	if err := w.check(); err != nil {
		return err
	}
	return w.Store.Advance(ctx, l, to)
}

func (w *wire) Release(ctx context.Context, l store.Lease) error {
	if err := w.check(); err != nil {
		return err
	}
	return w.Store.Release(ctx, l)
}

func (w *wire) Volatile() bool { return true }

// Three instances on one store, each killed and restarted at random while a storm
// of deliveries runs: see package deployment for what must hold afterwards.
func TestInstancesDieAndNothingIsLost(t *testing.T) {
	rounds := 50
	if long() {
		rounds = 1000
	}
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		synctest.Test(t, func(t *testing.T) { stormOverInstances(t, uint64(round)) })
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}

func stormOverInstances(t *testing.T, seed uint64) {
	oracle := newOracle()
	oracle.delay = 100 * time.Millisecond
	const hotels = 4
	for i := range hotels {
		oracle.works[deployment.Token(i)] = deployment.Enterprise.ID
	}
	mem := memstore.New(nil)
	d := deployment.Deployment{
		Seed: seed, Instances: 3, Hotels: hotels, Deliveries: 120,
		Store: mem, Sealer: seal.Ephemeral(), Heard: new(deployment.Heard),
		Between: 500 * time.Millisecond, Down: 3 * time.Second,
		Settle: func(well func() bool) {
			settle(10 * time.Minute)
			well()
		},
	}
	d.Start = func() (deployment.Instance, error) {
		w := &wire{Store: mem}
		rack, err := keyrack.Open(context.Background(), w, &keyrack.Options{
			Sealer: d.Sealer, Prober: oracle, Horizon: time.Second, Takeover: 5 * time.Second, Poll: 100 * time.Millisecond,
		})
		if err != nil {
			return nil, err
		}
		return deployment.InProcess{Rack: rack, Cut: func() error {
			w.cut.Store(true)
			return rack.Close()
		}}, d.Subscribe(rack, 0.05)
	}
	if err := deployment.Run(context.Background(), d); err != nil {
		t.Error(err)
	}
	audit(t, mem)
}

// late is a store in which others commit while an instance opens, after it has
// looked how far the journal goes.
type late struct {
	store.Store
	commit func()
	once   sync.Once
}

func (l *late) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	l.once.Do(l.commit)
	return l.Store.Journal(ctx, after)
}

// What others commit while an instance opens it takes up like everything else; for
// the race detector, above all.
func TestOthersCommitWhileAnInstanceOpens(t *testing.T) {
	mem, sealer := memstore.New(nil), seal.Ephemeral()
	other, err := keyrack.Open(context.Background(), mem, &keyrack.Options{Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s := &late{Store: mem, commit: func() {
		if _, err := other.Deliver(context.Background(), creation("a", "k", lifecycle.Yes)); err != nil {
			t.Error(err)
		}
	}}
	rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: sealer, Prober: newOracle("k")})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	for deadline := time.Now().Add(30 * time.Second); rack.Check(tokenText("k")).Status != lifecycle.Valid; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what was committed meanwhile does not arrive")
		}
	}
}
