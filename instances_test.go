package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
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

func (w *wire) Commit(ctx context.Context, c store.Commit) (store.Receipt, error) {
	if err := w.check(); err != nil {
		return store.Receipt{}, err
	}
	receipt, err := w.Store.Commit(ctx, c)
	if cut := w.check(); cut != nil {
		return store.Receipt{}, cut
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

// deployment is several instances on one store, of which any may die at any time.
type deployment struct {
	*testing.T
	store  *memstore.Store
	sealer seal.Sealer
	oracle *oracle
	heard  heard

	racks []*keyrack.Rack
	wires []*wire
}

func (d *deployment) start(i int) {
	d.Helper()
	d.wires[i] = &wire{Store: d.store}
	rack, err := keyrack.Open(context.Background(), d.wires[i], &keyrack.Options{
		Sealer: d.sealer, Prober: d.oracle, Horizon: time.Second, Takeover: 5 * time.Second, Poll: 100 * time.Millisecond,
	})
	if err != nil {
		d.Fatal(err)
	}
	d.racks[i] = rack
	if err := rack.Subscribe("test", d.handle, &keyrack.Subscription{FromStart: true, Kinds: []keyrack.ChangeKind{keyrack.ChangeAny}}); err != nil {
		d.Fatal(err)
	}
}

func (d *deployment) handle(ctx context.Context, e keyrack.Entry) error {
	if rand.N(20) == 0 {
		return errors.New("made-up failure")
	}
	return d.heard.handle(ctx, e)
}

// kill ends an instance as a power cut would: the store hears nothing more of it.
func (d *deployment) kill(i int) {
	d.wires[i].cut.Store(true)
	d.racks[i].Close()
}

// Three instances on one store, each killed and restarted at random while a storm
// of deliveries runs: all end with the same view, which is the fold of the
// journal; the subscriber has heard every entry, in order for each integration,
// and repetitions only under the same id; nothing that was acknowledged is lost.
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
	const instances, hotels, deliveries = 3, 4, 120
	r := rand.New(rand.NewPCG(seed, 1))
	names := make([]string, hotels)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	d := &deployment{
		T: t, store: memstore.New(nil), sealer: seal.Ephemeral(), oracle: newOracle(names...),
		racks: make([]*keyrack.Rack, instances), wires: make([]*wire, instances),
	}
	for i := range instances {
		d.start(i)
	}
	var mu sync.Mutex
	acknowledged := map[store.EntryID]bool{}
	var storm sync.WaitGroup
	for n := range deliveries {
		hotel := names[r.IntN(hotels)]
		body := creation(hotel, hotel, lifecycle.Yes)
		if n >= hotels {
			action := []lifecycle.Action{
				lifecycle.IntegrationEnabled, lifecycle.IntegrationDisabled, lifecycle.IntegrationCanceled, lifecycle.IntegrationReinstated,
			}[r.IntN(4)]
			body = webhook(action, hotel, nil)
		} else {
			body = creation(names[n], names[n], lifecycle.Yes)
		}
		rack := d.racks[r.IntN(instances)]
		storm.Go(func() {
			if receipt, err := rack.Deliver(context.Background(), body); err == nil {
				mu.Lock()
				defer mu.Unlock()
				acknowledged[receipt.ID] = true
			}
		})
		if r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
		}
		if r.IntN(15) == 0 {
			victim := r.IntN(instances)
			d.kill(victim)
			time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			d.start(victim)
		}
	}
	storm.Wait()
	settle(10 * time.Minute)

	audit(t, d.store, d.racks...)
	for record := range d.racks[0].Integrations() {
		for i, rack := range d.racks[1:] {
			other, _ := rack.Record(record.ID)
			if !bytes.Equal(lifecycle.AppendRecord(nil, record), lifecycle.AppendRecord(nil, other)) {
				t.Errorf("instances 0 and %d differ on %s", i+1, record.ID)
			}
		}
	}
	d.compareWithJournal(acknowledged)
	for _, rack := range d.racks {
		rack.Close()
	}
}

// compareWithJournal holds what was heard, and what was acknowledged, to the journal.
func (d *deployment) compareWithJournal(acknowledged map[store.EntryID]bool) {
	d.Helper()
	journal := map[store.EntryID]bool{}
	for e, err := range d.store.Journal(context.Background(), 0) {
		if err != nil {
			d.Fatal(err)
		}
		journal[e.ID] = true
	}
	d.heard.mu.Lock()
	defer d.heard.mu.Unlock()
	heard := map[store.EntryID]bool{}
	newest := map[string]uint64{}
	for _, e := range d.heard.all {
		if !heard[e.ID] {
			if e.Version != newest[e.Integration]+1 {
				d.Errorf("of %s version %d was heard after %d", e.Integration, e.Version, newest[e.Integration])
			}
			newest[e.Integration] = e.Version
		}
		heard[e.ID] = true
		if !journal[e.ID] {
			d.Errorf("heard of %v, which is not in the journal", e.ID)
		}
	}
	for id := range journal {
		if !heard[id] {
			d.Errorf("nobody heard of %v", id)
		}
	}
	for id := range acknowledged {
		if !journal[id] {
			d.Errorf("%v was acknowledged and is not in the journal", id)
		}
	}
}
