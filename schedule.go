package keyrack

import (
	"context"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	// DefaultLease is how long a Valid outlives its evidence where there is a prober.
	DefaultLease = 24 * time.Hour
	// DefaultProbeRate is the budget of probes, a second.
	DefaultProbeRate = 10
	// ProbeGap is the least time between two probes of one integration.
	ProbeGap = 10 * time.Second

	probesAtOnce = 8
	probeTimeout = 20 * time.Second
	// away is how long the receiver may be gone before what Mews sent meanwhile may
	// be lost for good, so that everything is asked anew.
	away = 5 * time.Minute
)

// schedule decides what to ask Mews, and when. What is due follows from the records
// alone: a generation without an answer at once, and everything before its lease
// ends. Of the instances on one store, the one that holds the lease of the name
// "probe" asks; the cursor of that name says when it was last alive.
type schedule struct {
	rack   *Rack
	prober connector.Prober
	lease  time.Duration
	gap    time.Duration // between two probes of different integrations
	wake   chan struct{}
	alive  lifecycle.Instant // the latest renewal; lead's alone

	mu          sync.Mutex
	leading     bool
	sweep       lifecycle.Instant // answers from before it are asked for again
	queue       queue
	attribution attribution
	next        time.Time // of the budget
	flying      int
	probes      sync.WaitGroup
}

func newSchedule(r *Rack) *schedule {
	rate := r.options.ProbeRate
	if rate <= 0 {
		rate = DefaultProbeRate
	}
	return &schedule{
		rack: r, prober: r.options.Prober, lease: r.policy.Lease,
		gap: time.Duration(float64(time.Second) / rate), wake: make(chan struct{}, 1), queue: newQueue(),
	}
}

// touch looks at a record that has changed.
func (s *schedule) touch(record *Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leading {
		s.place(record)
		s.poke()
	}
}

func (s *schedule) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// place puts an integration where it belongs in the queue. s.mu is held.
func (s *schedule) place(record *Record) {
	q, ok := record.Question()
	w := s.queue.wait(record.ID)
	if w.generation != record.Generation { // what was tried in vain was another question
		w.generation, w.attempts, w.backoff = record.Generation, 0, 0
	}
	if w.inFlight { // placed when its answer is there
		return
	}
	w.unswept = ok && !q.Open && q.Settled < s.sweep
	switch {
	case !ok:
		s.queue.unset(w)
		delete(s.queue.waits, record.ID)
	case q.Open:
		s.queue.set(w, w.asked.Add(s.pause(w)), w.attempts == 0)
	default:
		s.queue.set(w, s.renewal(w, record, q), false)
	}
}

// pause is how long to wait after the latest request, by the attempts so far.
func (s *schedule) pause(w *wait) time.Duration {
	if w.asked.IsZero() {
		return 0
	}
	return max(ProbeGap, w.backoff)
}

// renewal is when the lease asks again: between seven and nine tenths of it after
// the latest answer, spread over the integrations.
func (s *schedule) renewal(w *wait, record *Record, q lifecycle.Question) time.Time {
	spread := float64(s.rack.view.hash(record.ID)) / (1 << 32)
	due := q.Settled.Time().Add(time.Duration((0.7 + 0.2*spread) * float64(s.lease)))
	if w.unswept || q.Settled > s.rack.clock.instant() {
		due = s.sweep.Time()
	}
	if earliest := w.asked.Add(s.pause(w)); !w.asked.IsZero() && due.Before(earliest) {
		return earliest
	}
	return due
}

// run asks until the context ends, and waits for the answers that are under way.
func (s *schedule) run(ctx context.Context) {
	defer s.probes.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		w, wait := s.take()
		if w != nil {
			s.probes.Go(func() { s.ask(ctx, w) })
			continue
		}
		timer.Reset(wait)
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// take returns whose turn it is, or how long there is nothing to do.
func (s *schedule) take() (*wait, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const long = time.Hour
	now := s.rack.clock.now()
	if !s.leading || s.flying >= probesAtOnce {
		return nil, long // woken when that changes
	}
	if now.Before(s.next) {
		return nil, s.next.Sub(now)
	}
	w, due := s.queue.next(now)
	if w == nil {
		if due.IsZero() {
			return nil, long
		}
		return nil, min(long, due.Sub(now))
	}
	s.next = now.Add(s.gap)
	w.inFlight, w.asked = true, now
	s.flying++
	return w, 0
}

// lead follows the lease of the name "probe", and keeps it while it has it.
func (s *schedule) lead(ctx context.Context) {
	ttl := s.rack.options.takeover()
	holder := store.NewEntryID(s.rack.clock.now()).String()
	var held store.Lease
	tick := time.NewTicker(ttl / 3)
	defer tick.Stop()
	for {
		held = s.renew(ctx, holder, ttl, held)
		select {
		case <-tick.C:
		case <-ctx.Done():
			if held.Fence != 0 {
				s.rack.release(ctx, held)
			}
			return
		}
	}
}

func (s *schedule) renew(ctx context.Context, holder string, ttl time.Duration, held store.Lease) store.Lease {
	ctx, cancel := context.WithTimeout(ctx, s.rack.options.storeTimeout())
	defer cancel()
	lease, err := s.rack.store.Acquire(ctx, "probe", holder, ttl)
	if err != nil {
		s.follow()
		return store.Lease{}
	}
	now := s.rack.clock.instant()
	if held.Fence != lease.Fence {
		last, err := s.rack.store.Cursor(ctx, lease.Name)
		if err != nil {
			s.follow()
			return store.Lease{}
		}
		s.begin(now, lifecycle.Instant(last))
	} else if now.Sub(s.alive) > away { // the machine slept
		s.begin(now, s.alive)
	}
	s.alive = now
	// A sweep that is not finished begins anew after a crash: until then the
	// cursor stays where it was.
	if s.swept() {
		_ = s.rack.store.Advance(ctx, lease, store.Position(now)) // tried again at the next renewal
	}
	return lease
}

func (s *schedule) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading = false
}

// begin takes the lead: it looks at all integrations, and asks anew about all
// of them if nobody was there for a while, or ever: they came from another store.
func (s *schedule) begin(now, last lifecycle.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading = true
	switch {
	case now.Sub(last) <= away:
		s.sweep = 0
	case s.sweep == 0 || now.Sub(s.alive) > away: // else it goes on
		s.sweep = now
	}
	for record := range s.rack.Integrations() {
		s.place(&record)
	}
	s.poke()
}

// swept tells whether no answer from before the sweep is left to be renewed: one
// that was asked for in vain is.
func (s *schedule) swept() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sweep == 0 {
		return true
	}
	for _, w := range s.queue.waits {
		if w.unswept && w.backoff < s.lease { // else there is nothing to ask with
			return false
		}
	}
	s.sweep = 0
	return true
}
