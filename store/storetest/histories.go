package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// historiesPromises are those that histories of concurrent calls show.
var historiesPromises = []promise{
	{"Commit/is linearizable", func(p *probe) {
		p.record(p.histories, func(number int, history []Call) {
			if err := Linearizable(history); err != nil {
				p.Fatalf("history %d of %d calls: %v", number, len(history), err)
			}
		})
	}},
}

// Record has a few workers at a time call a store that h opens, over two handles if h
// can Join. It passes each of n such histories, with the answers, to judge. Calls that
// say nothing are left out. An answer that no store may ever give fails the test.
// Record is for checkers other than [Linearizable].
func (h Harness) Record(t *testing.T, n int, judge func(history []Call)) {
	t.Helper()
	h.probe(t).record(n, func(_ int, history []Call) { judge(history) })
}

// record makes n histories and passes each to judge.
func (p *probe) record(n int, judge func(number int, history []Call)) {
	p.Helper()
	handles := []store.Store{p.s}
	if p.join != nil {
		handles = append(handles, p.join(p.s))
	}
	for done := 0; done < n; {
		// Several histories at once, which share nothing. A store that answers from
		// afar has time for them.
		together := make([]*recording, min(4, n-done))
		for i := range together {
			together[i] = newRecording(p, handles, done+i)
		}
		p.within(fmt.Sprintf("histories %d to %d", done, done+len(together)-1), func() error {
			p.together(len(together), func(i int) error {
				p.together(together[i].workers, together[i].work)
				return together[i].finish(p.Context())
			})
			return nil
		})
		for _, r := range together {
			judge(r.number, r.history)
		}
		done += len(together)
	}
}

// recording is a history while it happens. A few workers use the same two integrations
// and the same one or two digests, which no other history uses.
type recording struct {
	handles      []store.Store
	number       int
	workers      int
	calls        int // of each worker
	integrations []string
	digests      []lifecycle.Digest

	clock    atomic.Int64
	arrived  atomic.Int64
	patience time.Duration // how long a worker waits for the others
	mu       sync.Mutex
	history  []Call
	doubtful []Call // commits that were cut off and refused when repeated: they may happen later still
}

func newRecording(p *probe, handles []store.Store, number int) *recording {
	return &recording{
		handles: handles, number: number, workers: 3, calls: 8, patience: p.patience,
		integrations: []string{fmt.Sprintf("%d-left", number), fmt.Sprintf("%d-right", number)},
		digests:      []lifecycle.Digest{p.digest(), p.digest()}[:1+number%2],
	}
}

func (r *recording) note(a Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, a)
}

func (r *recording) doubt(a Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubtful = append(r.doubtful, a)
}

// worker is one of the workers of a recording, with what it believes.
type worker struct {
	*recording
	*rand.Rand
	s        store.Store
	versions map[string]uint64
	owners   map[lifecycle.Digest]string
	last     Call // its last commit
}

// work makes the calls of a worker. Its choices are the same every time; when they
// happen is not.
func (r *recording) work(i int) error {
	w := worker{
		recording: r, Rand: rand.New(rand.NewPCG(uint64(r.number), uint64(i))),
		s: r.handles[i%len(r.handles)], versions: map[string]uint64{}, owners: map[lifecycle.Digest]string{},
	}
	defer r.arrived.Add(int64(r.workers * r.calls)) // nobody waits for a worker that has ended
	meetings := 0
	for call := range r.calls {
		// Now and then all workers wait for each other, or fast stores would never see
		// two at a time.
		if (call+r.number)%3 == 0 {
			meetings++
			if err := r.meet(meetings); err != nil {
				return fmt.Errorf("history %d: %w", r.number, err)
			}
		}
		integration, digest := r.integrations[w.IntN(2)], r.digests[w.IntN(len(r.digests))]
		var err error
		switch n := w.IntN(20); {
		case n < 10:
			err = w.commit(integration, digest)
		case n < 12 && w.last.Version > 0:
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

// meet waits until all workers have come to their n-th meeting. It spins at first, so
// that all leave at once. A worker that is late is calling a store that takes its time.
func (r *recording) meet(n int) error {
	r.arrived.Add(1)
	for began, spins := time.Now(), 0; r.arrived.Load() < int64(n*r.workers); spins++ {
		switch {
		case spins < 200:
			runtime.Gosched()
		case time.Since(began) < r.patience:
			time.Sleep(20 * time.Microsecond)
		default:
			return fmt.Errorf("a call of another worker has not returned after %v", r.patience)
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
	a := Call{Kind: Committed, Integration: integration, ID: store.NewEntryID(time.Now())}
	c := store.Commit{
		Entry:  store.Entry{ID: a.ID, Integration: integration, Evidence: []byte("evidence")},
		Expect: w.versions[integration], Record: a.ID[:],
	}
	switch {
	case dice < 4:
		a.Claim, c.Claim = []lifecycle.Digest{digest}, []store.Claim{{Digest: digest}}
	case disown:
		a.Disown, c.Disown = []lifecycle.Digest{digest}, []lifecycle.Digest{digest}
	case dice == 8:
		c.Expect += uint64(w.IntN(2))
	}
	ctx := context.Background()
	if w.number%4 == 0 && w.IntN(4) == 0 { // cut off at some instant, which costs some stores a connection
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(w.IntN(100))*time.Microsecond)
		defer cancel()
	}
	a.Begin = w.clock.Add(1)
	receipt, err := w.s.Commit(ctx, c)
	cut := err != nil && ctx.Err() != nil && !outcomeKnown(err)
	first := a
	if cut {
		a.Begin = w.clock.Add(1)
		receipt, err = w.s.Commit(context.Background(), c) // nobody knows: this tells
	}
	a.End = w.clock.Add(1)
	var other *store.OwnedError
	switch {
	case err == nil:
		if receipt.Version != c.Expect+1 {
			return fmt.Errorf("a commit to version %d made version %d", c.Expect, receipt.Version)
		}
		a.Version, w.versions[integration] = receipt.Version, receipt.Version
		w.last = a
		if a.Claim != nil {
			w.owners[digest] = integration
		}
	case errors.Is(err, store.ErrConflict):
		a.Kind, a.Version = Conflicted, c.Expect
	case errors.As(err, &other):
		a.Kind, a.Digest, a.Owner = Owned, other.Digest, other.Owner
	default:
		return fmt.Errorf("in Commit: %w", err)
	}
	if cut && err == nil {
		a.Begin = first.Begin // either may have done it
	} else if cut {
		first.Version, first.End = c.Expect+1, Never
		w.doubt(first)
	}
	w.note(a)
	if w.IntN(2) == 0 && len(a.Claim)+len(a.Disown) > 0 {
		return w.asked(w.s, digest)
	}
	return nil
}

// outcomeKnown reports whether an error of Commit says what happened.
func outcomeKnown(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrOwned)
}

// repeat commits the worker's last commit once more, without its content.
func (w *worker) repeat() error {
	r, err := w.s.Commit(context.Background(), store.Commit{
		Entry: store.Entry{ID: w.last.ID, Integration: w.last.Integration}, Expect: w.last.Version - 1,
	})
	if err != nil || !r.Repeated || r.Version != w.last.Version {
		return fmt.Errorf("the repetition of the commit to version %d: version %d, repeated %t, error %w", w.last.Version, r.Version, r.Repeated, err)
	}
	return nil
}

func (w *worker) load(integration string) error {
	a, err := w.loaded(w.s, integration)
	w.versions[integration] = a.Version
	return err
}

func (r *recording) loaded(s store.Store, integration string) (Call, error) {
	a := Call{Kind: Loaded, Integration: integration, Begin: r.clock.Add(1)}
	stored, err := s.Load(context.Background(), integration)
	a.End = r.clock.Add(1)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return a, fmt.Errorf("in Load: %w", err)
	}
	a.Version = stored.Version
	copy(a.ID[:], stored.Record)
	r.note(a)
	return a, nil
}

func (r *recording) asked(s store.Store, digest lifecycle.Digest) error {
	a := Call{Kind: Asked, Digest: digest, Begin: r.clock.Add(1)}
	owner, err := s.Owner(context.Background(), digest)
	a.End = r.clock.Add(1)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("in Owner: %w", err)
	}
	a.Owner = owner
	r.note(a)
	return nil
}

// finish adds what every handle says in the end, and compares the entries with the
// commits. A doubtful commit counts if it has an entry.
func (r *recording) finish(ctx context.Context) error {
	for _, s := range r.handles {
		for _, digest := range r.digests {
			if err := r.asked(s, digest); err != nil {
				return err
			}
		}
		for _, integration := range r.integrations {
			if _, err := r.loaded(s, integration); err != nil {
				return err
			}
		}
	}
	for i, integration := range r.integrations {
		all, err := collect(r.handles[i%len(r.handles)].History(ctx, integration, store.EntryID{}))
		if err != nil {
			return fmt.Errorf("history %d: in History: %w", r.number, err)
		}
		for _, a := range r.doubtful {
			if slices.ContainsFunc(all, func(e store.Entry) bool { return e.ID == a.ID }) {
				r.note(a)
			}
		}
		ids := map[store.EntryID]uint64{}
		for _, a := range r.history {
			if a.Kind == Committed && a.Integration == integration {
				ids[a.ID] = a.Version
			}
		}
		for i, e := range all {
			if e.Version != uint64(i)+1 || ids[e.ID] != e.Version {
				return fmt.Errorf("history %d: entry %d has version %d, its commit %d", r.number, i, e.Version, ids[e.ID])
			}
		}
		if len(all) != len(ids) {
			return fmt.Errorf("history %d: %d entries of %d commits", r.number, len(all), len(ids))
		}
	}
	return nil
}
