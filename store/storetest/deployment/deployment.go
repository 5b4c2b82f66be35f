// Package deployment is a test of several instances on one store, for those who write a
// store that several processes can share: a storm of
// deliveries comes down on them while they die and come back. Afterwards all must
// see the same, which is the fold of the journal; a subscriber must have heard of
// every entry, in order for each integration, and twice only under the same id;
// and nothing may be lost that was acknowledged.
package deployment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Instance is one of several on a store.
type Instance interface {
	// Deliver hands it a webhook, and returns the id of its entry: an acknowledgement.
	Deliver(ctx context.Context, body []byte) (store.EntryID, error)
	// View returns the records that it has, encoded, by integration.
	View() (map[string][]byte, error)
	// Kill ends it as a power cut would: nobody hears of it any more.
	Kill() error
}

// Deployment is several instances on one store, and how long the storm is.
type Deployment struct {
	Seed                          uint64
	Instances, Hotels, Deliveries int

	// Start starts an instance, which calls Heard for each entry that its
	// subscriber hears of, before the subscriber is done with it.
	Start func() (Instance, error)
	// Store is a way to the store of all instances that is never cut, and Sealer
	// what they seal with.
	Store  store.Store
	Sealer seal.Sealer
	Heard  *Heard

	// Between is the longest pause between two deliveries, Down the longest
	// that an instance is away.
	Between, Down time.Duration
	// Settle waits until all is well, or for as long as that may take.
	Settle func(well func() bool)
}

// Hearing is what a subscriber heard.
type Hearing struct {
	ID          store.EntryID
	Integration string
	Version     uint64
}

// Heard is what the subscribers of all instances heard, in order. It is safe for
// concurrent use; its zero value is ready.
type Heard struct {
	mu  sync.Mutex
	all []Hearing
}

// Add notes what was heard.
func (h *Heard) Add(heard Hearing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, heard)
}

// Len returns how much was heard, repetitions included.
func (h *Heard) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all)
}

// Enterprise is the one that all integrations of a storm belong to.
var Enterprise = lifecycle.Named{ID: "8865aa96-f62d-4f9b-a912-ab2100f60f42", Name: "Sample Chain Hotel 1"}

// Token is the token of the i-th integration of a storm.
func Token(i int) string {
	sum := sha256.Sum256(fmt.Append(nil, "storm token ", i))
	return fmt.Sprintf("%X", sum)
}

// body returns the n-th webhook: first every integration is created.
func (d *Deployment) body(r *rand.Rand, n int) ([]byte, error) {
	e := events.Event{Action: lifecycle.IntegrationCreated}
	hotel := n
	if n >= d.Hotels {
		hotel = r.IntN(d.Hotels)
		e.Action = []lifecycle.Action{
			lifecycle.IntegrationEnabled, lifecycle.IntegrationDisabled, lifecycle.IntegrationCanceled, lifecycle.IntegrationReinstated,
		}[r.IntN(4)]
	} else {
		e.Enterprise = Enterprise
		e.AccessToken = lifecycle.NewToken(Token(hotel))
		e.CreatedUtc = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		e.IsEnabled = lifecycle.Yes
	}
	e.Name = e.Action.String()
	e.Integration = lifecycle.Named{ID: fmt.Sprintf("%08x-974d-4f16-9662-ab2200f27cb1", hotel), Name: "Front desk"}
	return events.Encode(e)
}

// Run lets the storm come down, and returns what was not as it should be. All
// instances are dead afterwards.
func Run(ctx context.Context, d Deployment) (err error) {
	r := rand.New(rand.NewPCG(d.Seed, 1))
	instances := make([]Instance, d.Instances)
	defer func() {
		for _, i := range instances {
			if i != nil {
				err = errors.Join(err, i.Kill())
			}
		}
	}()
	for i := range instances {
		if instances[i], err = d.Start(); err != nil {
			return fmt.Errorf("starting: %w", err)
		}
	}
	var mu sync.Mutex
	acknowledged := map[store.EntryID]bool{}
	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	for n := range d.Deliveries {
		body, err := d.body(r, n)
		if err != nil {
			return err
		}
		receiver := instances[r.IntN(d.Instances)]
		deliveries.Go(func() {
			if id, err := receiver.Deliver(ctx, body); err == nil {
				mu.Lock()
				defer mu.Unlock()
				acknowledged[id] = true
			}
		})
		if r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.Int64N(int64(d.Between))))
		}
		if r.IntN(15) == 0 {
			i := r.IntN(d.Instances)
			if err := instances[i].Kill(); err != nil {
				return fmt.Errorf("killing: %w", err)
			}
			instances[i] = nil
			time.Sleep(time.Duration(r.Int64N(int64(d.Down))))
			if instances[i], err = d.Start(); err != nil {
				return fmt.Errorf("starting: %w", err)
			}
		}
	}
	deliveries.Wait()
	if len(acknowledged) == 0 {
		return errors.New("nothing was acknowledged")
	}
	d.Settle(func() bool {
		err = errors.Join(d.compareViews(ctx, instances), d.compareJournal(ctx, acknowledged))
		return err == nil
	})
	return err
}

// compareViews holds all views to the store, and the store to its journal.
func (d *Deployment) compareViews(ctx context.Context, instances []Instance) error {
	for finding, err := range atrest.Examine(ctx, d.Store, d.Sealer) {
		if err != nil {
			return err
		}
		return fmt.Errorf("%s: %s", finding.Integration, finding.Problem)
	}
	stored := map[string][]byte{}
	for s, err := range d.Store.Scan(ctx, "") {
		if err != nil {
			return err
		}
		stored[s.Integration] = stamp.Strip(s.Record)
	}
	if len(stored) == 0 {
		return errors.New("the store has no integrations")
	}
	for i, instance := range instances {
		view, err := instance.View()
		if err != nil {
			return fmt.Errorf("the view of instance %d: %w", i, err)
		}
		if !maps.EqualFunc(view, stored, bytes.Equal) {
			return fmt.Errorf("instance %d sees something else than the store has", i)
		}
	}
	return nil
}

// compareJournal holds what was heard, and what was acknowledged, to the journal.
func (d *Deployment) compareJournal(ctx context.Context, acknowledged map[store.EntryID]bool) error {
	journal := map[store.EntryID]Hearing{}
	for e, err := range d.Store.Journal(ctx, 0) {
		if err != nil {
			return err
		}
		journal[e.ID] = Hearing{e.ID, e.Integration, e.Version}
	}
	d.Heard.mu.Lock()
	defer d.Heard.mu.Unlock()
	heard := map[store.EntryID]bool{}
	newest := map[string]uint64{}
	for _, h := range d.Heard.all {
		if journal[h.ID] != h {
			return fmt.Errorf("version %d of %s was heard of as %v, and is not in the journal so", h.Version, h.Integration, h.ID)
		}
		if !heard[h.ID] {
			if h.Version != newest[h.Integration]+1 {
				return fmt.Errorf("version %d of %s was heard of after %d", h.Version, h.Integration, newest[h.Integration])
			}
			newest[h.Integration] = h.Version
		}
		heard[h.ID] = true
	}
	for id, entry := range journal {
		if !heard[id] {
			return fmt.Errorf("nobody heard of version %d of %s", entry.Version, entry.Integration)
		}
	}
	for id := range acknowledged {
		if _, ok := journal[id]; !ok {
			return fmt.Errorf("%v was acknowledged, and is not in the journal", id)
		}
	}
	return nil
}

// InProcess is an Instance that is a Rack in the process of the test.
type InProcess struct {
	*keyrack.Rack
	// Cut parts it from the store, and ends what it started.
	Cut func() error
}

// Deliver is the Rack's.
func (i InProcess) Deliver(ctx context.Context, body []byte) (store.EntryID, error) {
	receipt, err := i.Rack.Deliver(ctx, body)
	return receipt.ID, err
}

// View returns the Rack's records.
func (i InProcess) View() (map[string][]byte, error) {
	view := map[string][]byte{}
	for record := range i.Integrations() {
		view[record.ID] = lifecycle.AppendRecord(nil, record)
	}
	return view, nil
}

// Kill cuts.
func (i InProcess) Kill() error { return i.Cut() }

// Subscribe subscribes a Rack, with a handler that fails now and then.
func (d *Deployment) Subscribe(r *keyrack.Rack, failures float64) error {
	return r.Subscribe("storm", func(_ context.Context, e keyrack.Change) error {
		if rand.Float64() < failures {
			return errors.New("made-up failure")
		}
		d.Heard.Add(Hearing{e.ID, e.Integration, e.Version})
		return nil
	}, Everything())
}

// Everything is the subscription of who wants to hear of every entry.
func Everything() *keyrack.SubscribeOptions {
	return &keyrack.SubscribeOptions{FromStart: true, Kinds: []keyrack.ChangeKind{keyrack.ChangeAny}}
}
