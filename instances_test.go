package keyrack_test

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net/http"
	"runtime"
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
	"github.com/keyrack-dev/keyrack/store/storetest/deployment"
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

// Two instances on one store that fails, and many deliveries at once: none is
// lost, none counts twice.
func TestTwoInstancesAtOnce(t *testing.T) {
	s := newCluster(t, keyrack.Options{})
	defer s.close()
	options := s.options
	options.Telemetry = nil // which listens to one request at a time
	var racks [2]*keyrack.Rack
	var handlers [2]*keyrack.Handler
	for i := range racks {
		var err error
		if racks[i], err = keyrack.Open(s.ctx, &random{Store: s.mem}, &options); err != nil {
			t.Fatal(err)
		}
		defer racks[i].Close()
		if handlers[i], err = racks[i].Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true}); err != nil {
			t.Fatal(err)
		}
	}
	const workers, each = 8, 60
	var accepted, refused atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 7))
			for range each {
				name := fleet[rng.IntN(len(fleet))]
				var body []byte
				switch rng.IntN(6) {
				case 0:
					body = creation(name, rings[rng.IntN(len(rings))], lifecycle.Yes)
				case 1:
					body = rotation(name, rings[rng.IntN(len(rings))])
				case 2:
					body = []byte(`{"Action":"IntegrationMoved"}`)
				default:
					body = webhook(lifecycle.IntegrationEnabled+lifecycle.Action(rng.IntN(4)), name, nil)
				}
				switch status := post(handlers[rng.IntN(2)], body); status {
				case http.StatusNoContent:
					accepted.Add(1)
				case http.StatusServiceUnavailable:
					refused.Add(1)
				default:
					t.Errorf("answered %d", status)
				}
				for _, token := range rings {
					racks[rng.IntN(2)].Check(tokenText(token))
				}
			}
		})
	}
	wg.Wait()
	_, entries := s.stored()
	if n := int64(len(entries)); n < accepted.Load() || n > accepted.Load()+refused.Load() {
		t.Errorf("%d entries for %d deliveries taken in and %d not", n, accepted.Load(), refused.Load())
	}
	t.Logf("%d taken in, %d not, %d entries", accepted.Load(), refused.Load(), len(entries))
	audit(t, s.mem, racks[:]...)
}

// random fails now and then, before or after, from many goroutines.
type random struct{ store.Store }

func (s *random) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	switch rand.IntN(10) {
	case 0:
		return store.Committed{}, errFault
	case 1:
		if receipt, err := s.Store.Commit(ctx, c); err != nil {
			return receipt, err
		}
		return store.Committed{}, errFault
	case 2:
		runtime.Gosched()
	}
	return s.Store.Commit(ctx, c)
}
