package probe

import (
	"context"
	"hash/fnv"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/lease"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Owner is whom a schedule works for: the one that has the records. Its methods are
// safe for concurrent use, and return soon unless they take a context.
type Owner interface {
	// Record returns the record of an integration as it is now, or nil. It is not to be
	// changed.
	Record(id string) *lifecycle.Record
	// Records yields all records, in no given order.
	Records() iter.Seq[*lifecycle.Record]
	// Verdict returns what the owner's policy makes of a token now; the zero digest
	// stands for the current one.
	Verdict(r *lifecycle.Record, token lifecycle.Digest) lifecycle.Verdict
	// Token returns a token in clear, or an error that wraps store.ErrNotFound if it is
	// not kept.
	Token(ctx context.Context, id string, token lifecycle.Digest) (lifecycle.Token, error)
	// Take takes an answer in. The owner fills in when it came.
	Take(ctx context.Context, e lifecycle.Evidence) error
	// Trouble tells that questions are refused whatever the token, or no longer.
	Trouble(ctx context.Context, over bool)
	// Now returns the time. It never goes back.
	Now() time.Time
	// Asking is told of a question before it is put, and returns the context in which
	// to put it and what to call with the answer.
	Asking(ctx context.Context, id string) (context.Context, func(connector.Answer, error))
}

// Leases is the part of a store by which instances agree on who asks.
type Leases interface {
	lease.Leaser
	Advance(ctx context.Context, l store.Lease, to store.Position) error
	Cursor(ctx context.Context, name string) (store.Position, error)
}

// Options are what a schedule is made of. All of them are required.
type Options struct {
	Owner    Owner
	Prober   connector.Prober
	Leases   Leases
	MaxAge   time.Duration // every answer is renewed before it is older
	Rate     float64       // the budget of questions of all integrations together, a second
	Takeover time.Duration // how long the lease of the name "probe" lasts
	Patience time.Duration // bounds one call of Leases
	Log      *slog.Logger
}

const (
	// Gap is the least time between two questions about one integration.
	Gap = 10 * time.Second

	atOnce  = 8                // questions under way
	timeout = 20 * time.Second // of one question
	// away is how long the receiver may be gone before what Mews sent meanwhile may be
	// lost for good, so that everything is asked anew.
	away = 5 * time.Minute
)

// Schedule decides what to ask Mews, and when. Make one with New, and have Lead and
// Run running.
type Schedule struct {
	Options
	between time.Duration // two questions about different integrations
	wake    chan struct{}
	alive   lifecycle.Instant // when this instance last led; lead's alone

	mu          sync.Mutex
	leading     bool
	sweep       lifecycle.Instant // answers from before it are asked for again
	queue       queue
	attribution attribution
	next        time.Time // of the budget
	flying      int
	probes      sync.WaitGroup
}

// New returns a schedule. It starts nothing.
func New(o Options) *Schedule {
	return &Schedule{
		Options: o, between: time.Duration(float64(time.Second) / o.Rate), wake: make(chan struct{}, 1), queue: newQueue(),
	}
}

// Touch has the schedule look at an integration whose record has changed. It is told
// the id alone and reads the record as it is by then, so what is planned never rests
// on a copy that was overtaken on its way.
func (s *Schedule) Touch(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leading {
		s.place(id)
		s.poke()
	}
}

func (s *Schedule) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// place puts an integration where it belongs in the queue, by its record as it is now.
// s.mu is held.
func (s *Schedule) place(id string) {
	record := s.Owner.Record(id)
	if record == nil {
		if w := s.queue.waits[id]; w != nil && !w.inFlight {
			s.queue.unset(w)
			delete(s.queue.waits, id)
		}
		return
	}
	q, ok := record.Question()
	w := s.queue.wait(id)
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
		delete(s.queue.waits, id)
	case q.Open:
		s.queue.set(w, w.asked.Add(s.pause(w)), w.attempts == 0)
	default:
		s.queue.set(w, s.renewal(w, q), false)
	}
}

// pause is how long to wait after the latest request, by the attempts so far.
func (s *Schedule) pause(w *wait) time.Duration {
	if w.asked.IsZero() {
		return 0
	}
	return max(Gap, w.backoff)
}

// renewal is when an answer is renewed: between seven and nine tenths of MaxAge after
// it, spread over the integrations.
func (s *Schedule) renewal(w *wait, q lifecycle.Question) time.Time {
	due := q.Settled.Time().Add(time.Duration((0.7 + 0.2*spread(w.id)) * float64(s.MaxAge)))
	if w.unswept || q.Settled > lifecycle.At(s.Owner.Now()) {
		due = s.sweep.Time()
	}
	if earliest := w.asked.Add(s.pause(w)); !w.asked.IsZero() && due.Before(earliest) {
		return earliest
	}
	return due
}

// spread returns a number in [0, 1) that an integration keeps, also over restarts.
func spread(id string) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return float64(h.Sum32()) / (1 << 32)
}

// Run asks until the context ends, and waits for the answers that are under way.
func (s *Schedule) Run(ctx context.Context) {
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
func (s *Schedule) take() (*wait, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const long = time.Hour
	now := s.Owner.Now()
	if !s.leading || s.flying >= atOnce {
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
	s.next = now.Add(s.between)
	w.inFlight, w.asked = true, now
	s.flying++
	return w, 0
}
