package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// historiesPromises are held by histories of concurrent calls.
var historiesPromises = []promise{
	{"Commit/is linearizable", func(p *probe) {
		handles := []store.Store{p.s}
		if p.join != nil {
			handles = append(handles, p.join(p.s))
		}
		for i := range p.histories {
			r := newRecording(p, handles, i)
			p.together(r.workers, r.work)
			r.finish(p)
			if err := linearizable(r.acts); err != nil {
				p.Fatalf("history %d of %d calls: %v", i, len(r.acts), err)
			}
		}
	}},
}

// recording is a history while it happens: a few workers at the same two
// integrations and the same digest or two, which no other history has.
type recording struct {
	handles      []store.Store
	number       int
	workers      int
	calls        int // of each worker
	integrations []string
	digests      []lifecycle.Digest

	clock   atomic.Int64
	arrived atomic.Int64
	mu      sync.Mutex
	acts    []act
}

func newRecording(p *probe, handles []store.Store, number int) *recording {
	return &recording{
		handles: handles, number: number, workers: 3, calls: 8,
		integrations: []string{fmt.Sprintf("%d-left", number), fmt.Sprintf("%d-right", number)},
		digests:      []lifecycle.Digest{p.digest(), p.digest()}[:1+number%2],
	}
}

func (r *recording) note(a act) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acts = append(r.acts, a)
}

// worker is one of a recording's, with what it believes.
type worker struct {
	*recording
	*rand.Rand
	s        store.Store
	versions map[string]uint64
	owners   map[lifecycle.Digest]string
	last     act // its last commit
}

// work makes the calls of a worker. What it chooses is the same every time; when
// it happens is not.
func (r *recording) work(i int) error {
	w := worker{
		recording: r, Rand: rand.New(rand.NewPCG(uint64(r.number), uint64(i))),
		s: r.handles[i%len(r.handles)], versions: map[string]uint64{}, owners: map[lifecycle.Digest]string{},
	}
	defer r.arrived.Add(int64(r.workers * r.calls)) // nobody waits for who is gone
	meetings := 0
	for call := range r.calls {
		// Now and then all wait for all, or fast stores would never see two at a time.
		if (call+r.number)%3 == 0 {
			meetings++
			for r.arrived.Add(1); r.arrived.Load() < int64(meetings*r.workers); {
				runtime.Gosched()
			}
		}
		integration, digest := r.integrations[w.IntN(2)], r.digests[w.IntN(len(r.digests))]
		var err error
		switch n := w.IntN(20); {
		case n < 10:
			err = w.commit(integration, digest)
		case n < 12 && w.last.version > 0:
			err = w.repeat()
		case n < 16:
			err = w.load(integration)
		default:
			err = w.asked(w.s, digest)
		}
		if err != nil {
			return fmt.Errorf("history %d: %w", r.number, err)
		}
	}
	return nil
}

func (w *worker) commit(integration string, digest lifecycle.Digest) error {
	dice := w.IntN(12)
	disown := dice >= 4 && dice < 8
	if owner, ok := w.owners[digest]; ok && disown {
		integration = owner // or it would hardly ever free anything
	}
	a := act{kind: committed, integration: integration, id: store.NewEntryID(time.Now())}
	c := store.Commit{
		Entry:  store.Entry{ID: a.id, Integration: integration, Evidence: []byte("evidence")},
		Expect: w.versions[integration], Record: a.id[:],
	}
	switch {
	case dice < 4:
		a.claim, c.Claim = []lifecycle.Digest{digest}, []store.Claim{{Digest: digest}}
	case disown:
		a.disown, c.Disown = []lifecycle.Digest{digest}, []lifecycle.Digest{digest}
	case dice == 8:
		c.Expect += uint64(w.IntN(2))
	}
	ctx := context.Background()
	if w.IntN(8) == 0 { // cut off at some instant
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(w.IntN(100))*time.Microsecond)
		defer cancel()
	}
	a.begin = w.clock.Add(1)
	receipt, err := w.s.Commit(ctx, c)
	if err != nil && ctx.Err() != nil && !outcomeKnown(err) {
		// Nobody knows. Either way of finding out will do.
		if w.IntN(2) == 0 {
			receipt, err = w.s.Resolve(context.Background(), a.id)
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
		} else {
			receipt, err = w.s.Commit(context.Background(), c)
		}
	}
	a.end = w.clock.Add(1)
	var other *store.OwnedError
	switch {
	case err == nil:
		if receipt.Version != c.Expect+1 {
			return fmt.Errorf("a commit to version %d made version %d", c.Expect, receipt.Version)
		}
		a.version, w.versions[integration] = receipt.Version, receipt.Version
		w.last = a
		if a.claim != nil {
			w.owners[digest] = integration
		}
	case errors.Is(err, store.ErrConflict):
		a.kind, a.version = conflicted, c.Expect
	case errors.As(err, &other):
		a.kind, a.digest, a.owner = owned, other.Digest, other.Owner
	default:
		return fmt.Errorf("in Commit: %w", err)
	}
	w.note(a)
	if w.IntN(2) == 0 && len(a.claim)+len(a.disown) > 0 {
		return w.asked(w.s, digest)
	}
	return nil
}

// outcomeKnown tells whether an error of Commit says what happened.
func outcomeKnown(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrOwned)
}

// repeat commits once more what the worker committed last, but with nothing in it.
func (w *worker) repeat() error {
	r, err := w.s.Commit(context.Background(), store.Commit{
		Entry: store.Entry{ID: w.last.id, Integration: w.last.integration}, Expect: w.last.version - 1,
	})
	if err != nil || !r.Repeated || r.Version != w.last.version {
		return fmt.Errorf("the repetition of the commit to version %d: version %d, repeated %t, error %w", w.last.version, r.Version, r.Repeated, err)
	}
	return nil
}

func (w *worker) load(integration string) error {
	a, err := w.loaded(w.s, integration)
	w.versions[integration] = a.version
	return err
}

func (r *recording) loaded(s store.Store, integration string) (act, error) {
	a := act{kind: loaded, integration: integration, begin: r.clock.Add(1)}
	stored, err := s.Load(context.Background(), integration)
	a.end = r.clock.Add(1)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return a, fmt.Errorf("in Load: %w", err)
	}
	a.version = stored.Version
	copy(a.id[:], stored.Record)
	r.note(a)
	return a, nil
}

func (r *recording) asked(s store.Store, digest lifecycle.Digest) error {
	a := act{kind: asked, digest: digest, begin: r.clock.Add(1)}
	owner, err := s.Owner(context.Background(), digest)
	a.end = r.clock.Add(1)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("in Owner: %w", err)
	}
	a.owner = owner
	r.note(a)
	return nil
}

// finish adds what every handle says in the end, and compares the entries with
// the commits.
func (r *recording) finish(p *probe) {
	p.Helper()
	for _, s := range r.handles {
		for _, digest := range r.digests {
			if err := r.asked(s, digest); err != nil {
				p.Errorf("%v", err)
			}
		}
	}
	for _, integration := range r.integrations {
		ids := map[store.EntryID]uint64{}
		for _, a := range r.acts {
			if a.kind == committed && a.integration == integration {
				ids[a.id] = a.version
			}
		}
		for _, s := range r.handles {
			if _, err := r.loaded(s, integration); err != nil {
				p.Errorf("%v", err)
			}
			all, err := collect(s.History(p.Context(), integration))
			if err != nil {
				p.Errorf("History: %v", err)
			}
			for i, e := range all {
				if e.Version != uint64(i)+1 || ids[e.ID] != e.Version {
					p.Errorf("history %d: entry %d has version %d, its commit %d", r.number, i, e.Version, ids[e.ID])
				}
			}
			if len(all) != len(ids) {
				p.Errorf("history %d: %d entries of %d commits", r.number, len(all), len(ids))
			}
		}
	}
}
