package probe

import (
	"context"
	"hash/fnv"
	"iter"
	"log/slog"
	"slices"
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
	// Alarm tells what a person should know of the answers as a whole.
	Alarm(ctx context.Context, what Alarm)
	// Now returns the time. It never goes back.
	Now() time.Time
	// Asking is told of a probe before it is sent, and returns the context in which
	// to put it and what to call with the answer.
	Asking(ctx context.Context, id string) (context.Context, func(connector.Answer, error))
}

// Alarm is something about Mews's answers as a whole.
type Alarm int

const (
	// Trouble: probes are refused whatever the token, so no 401 says anything.
	Trouble Alarm = iota
	// TroubleOver: a 200 was seen.
	TroubleOver
	// NoWitness: a 401 cannot be attributed, since no token of the fleet has worked for
	// five minutes.
	NoWitness
)

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
	MaxAge   func() time.Duration // every answer is renewed before it is older
	Rate     float64              // the budget of probes of all integrations together, a second
	Takeover time.Duration        // how long the lease of the name "probe" lasts
	Patience time.Duration        // bounds one call of Leases
	Log      *slog.Logger
	Guest    bool // asks about what Tell names alone, while nobody leads
}

const (
	// Gap is the least time between two probes of one integration.
	Gap = 10 * time.Second

	atOnce  = 8                // probes under way
	timeout = 20 * time.Second // of one probe
	// away is how long the receiver may be gone before what Mews sent meanwhile may be
	// lost for good, so that everything is asked anew.
	away = 5 * time.Minute
)

// Schedule decides what to ask Mews, and when. Make one with New, and have Lead and
// Run running.
type Schedule struct {
	Options
	between time.Duration // two probes of different integrations
	wake    chan struct{}
	alive   lifecycle.Instant // when this instance last led; lead's alone
	kept    lifecycle.Instant // what the store keeps of the sweep; lead's alone

	mu          sync.Mutex
	leading     bool
	named       map[string]bool   // of a guest
	sweep       lifecycle.Instant // answers from before it are asked for again
	queue       queue
	attribution attribution
	witness     string         // whom the inquiry waits for
	touched     []string       // by a trouble, in the order in which they are asked
	round       int            // of probes in a trouble
	heard       time.Time      // when the latest probe was sent that Mews answered, with a 200 or a 401
	pressing    map[*wait]bool // whose probes got no answer while their tokens are not Valid
	knock       time.Time      // when one of them is asked, whatever its back-off
	next        time.Time      // of the budget
	pace        time.Time      // of what is asked once a minute
	flying      int
	probes      sync.WaitGroup
}

// New returns a schedule. It starts nothing.
func New(o Options) *Schedule {
	return &Schedule{
		Options: o, between: time.Duration(float64(time.Second) / o.Rate), wake: make(chan struct{}, 1), queue: newQueue(), pressing: make(map[*wait]bool), attribution: newAttribution(),
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

// Tell has a guest ask about an integration, while no other instance leads.
func (s *Schedule) Tell(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named == nil {
		s.named = make(map[string]bool)
	}
	s.named[id] = true
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
	if s.Guest && !s.named[id] {
		return
	}
	if record == nil {
		s.excuse(id)
		if w := s.queue.waits[id]; w != nil && !w.inFlight {
			delete(s.pressing, w)
			s.queue.unset(w)
			delete(s.queue.waits, id)
		}
		return
	}
	now := s.Owner.Now()
	q, ok := record.Question(lifecycle.At(now))
	current, _ := record.CurrentKey()
	s.attribution.know(id, current.Answer == lifecycle.Accepted)
	w := s.queue.wait(id)
	if w.generation != record.Generation { // what was tried in vain was another question
		w.generation, w.attempts, w.refusals, w.backoff = record.Generation, 0, 0, 0
	}
	if w.inFlight { // placed when its answer is there
		return
	}
	delete(s.pressing, w)
	if w.silent && w.attempts > 0 && ok && q.Open && s.Owner.Verdict(record, q.Token).Status != lifecycle.Valid {
		s.pressing[w] = true
	}
	w.unswept = ok && !q.Open && q.Settled < s.sweep
	switch {
	case !ok:
		s.excuse(id)
		s.queue.unset(w)
		delete(s.queue.waits, id)
	case q.Open:
		s.queue.set(w, s.earliest(w, record, q), s.classOf(w, record, q))
	case s.witness == id && w.place >= 0: // an inquiry waits for its answer
	default:
		due := s.renewal(w, q)
		if q.Next != 0 && q.Next.Time().Before(due) {
			due = q.Next.Time()
		}
		if current.Answer == lifecycle.Rejected && s.quiet(record, current.Digest).Status != lifecycle.Invalid {
			due = earlier(due, current.Began.Time().Add(afterRefusal(w.refusals)))
		}
		s.queue.set(w, laterOf(due, w.asked.Add(Gap)), renewed)
	}
}

// excuse has an inquiry look for another witness than this one, which there is nothing to
// ask any more. s.mu is held.
func (s *Schedule) excuse(id string) {
	if s.witness == id {
		s.witness = ""
	}
}

// classOf returns the class of an open question.
func (s *Schedule) classOf(w *wait, record *lifecycle.Record, q lifecycle.Question) class {
	switch {
	case q.First && w.attempts == 0 && proved(record), returns(record, q) && len(s.attribution.works) > 0:
		return proven // forged deliveries do not hold it up
	case w.attempts > 0:
		return again
	case q.First:
		return first
	case s.Owner.Verdict(record, q.Token).Status == lifecycle.Unknown:
		return unknown
	}
	return delivered
}

// returns reports whether a question is about a token that Mews has confirmed, while another
// took its place that does not work as far as is known.
func returns(record *lifecycle.Record, q lifecycle.Question) bool {
	key, _ := record.Key(q.Token)
	current, _ := record.CurrentKey()
	return key.Proved != 0 && key.Digest != current.Digest && current.Answer != lifecycle.Accepted
}

// proved reports whether Mews has confirmed any token of an integration.
func proved(record *lifecycle.Record) bool {
	return slices.ContainsFunc(record.Keys, func(k lifecycle.Key) bool { return k.Proved != 0 })
}

// earliest returns when an open question may be put.
func (s *Schedule) earliest(w *wait, record *lifecycle.Record, q lifecycle.Question) time.Time {
	if q.First && w.attempts == 0 { // three a minute are not bound by the gap
		switch oldest := w.firsts[0]; {
		case oldest.IsZero():
		case proved(record): // or forged rotations would hold up the token that works
			return earlier(oldest.Add(time.Minute), w.asked.Add(Gap))
		default:
			return oldest.Add(time.Minute)
		}
		return w.asked
	}
	due := w.asked
	switch key, _ := record.Key(q.Token); {
	case due.IsZero():
	case returns(record, q) && key.Generation != record.Generation:
		due = due.Add(Gap) // what has backed off is the other's
	default:
		due = due.Add(max(Gap, w.backoff))
	}
	if i := s.attribution.inquiry; i != nil && i.id == w.id && i.answered.IsZero() {
		due = w.asked.Add(Gap) // between two 200s it must be
	}
	if key, _ := record.Key(q.Token); key.Answer == lifecycle.RejectedOnce && key.Generation == record.Generation {
		due = laterOf(due, key.Began.Time().Add(secondRefusal))
	}
	return due
}

// secondRefusal is how long after the first attributed 401 the second is asked for.
const secondRefusal = time.Minute + time.Second

// afterRefusal is when a token that was rejected although the deliveries say that it is
// valid is asked about again, by how often it was rejected: for a day, more often than
// its age alone would have it.
func afterRefusal(n int) time.Duration {
	steps := [...]time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute}
	switch {
	case n <= len(steps):
		return steps[max(n, 1)-1]
	case n <= len(steps)+12:
		return 2 * time.Hour
	}
	return 1 << 62
}

// quiet returns the verdict on a token without what the latest 401s say of it.
func (s *Schedule) quiet(record *lifecycle.Record, token lifecycle.Digest) lifecycle.Verdict {
	r := *record
	r.Keys = slices.Clone(r.Keys)
	for i := range r.Keys {
		if k := &r.Keys[i]; k.Digest == token && k.Answer != lifecycle.Accepted {
			k.Answer, k.Doubt = lifecycle.NoAnswer, 0
		}
	}
	for i := range r.Keys {
		if k := &r.Keys[i]; k.Digest == token {
			k.Doubt = 0
		}
	}
	return s.Owner.Verdict(&r, token)
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// renewal is when an answer is renewed: between seven and nine tenths of MaxAge after
// it, spread over the integrations.
func (s *Schedule) renewal(w *wait, q lifecycle.Question) time.Time {
	due := q.Settled.Time().Add(time.Duration((0.7 + 0.2*spread(w.id)) * float64(s.MaxAge())))
	if w.unswept || q.Settled > lifecycle.At(s.Owner.Now()) {
		due = s.sweep.Time()
	}
	if !w.asked.IsZero() {
		due = laterOf(due, w.asked.Add(max(Gap, w.backoff)))
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
	if s.attribution.trouble {
		return s.takeTouched(now)
	}
	if now.Before(s.next) {
		return nil, s.next.Sub(now)
	}
	if w := s.knocks(now); w != nil {
		s.next = now.Add(s.between)
		s.start(w, now)
		return w, 0
	}
	// Where no token works, asking again tells little: once a minute, in turn.
	lonely := len(s.attribution.works) == 0
	w, due := s.queue.next(now, func(c class) bool { return c == again && lonely && now.Before(s.pace) })
	if w == nil {
		if len(s.pressing) > 0 && (due.IsZero() || s.knock.Before(due)) {
			due = s.knock
		}
		if lonely && len(s.queue.classes[again]) > 0 && (due.IsZero() || s.pace.Before(due)) {
			due = laterOf(s.pace, s.queue.classes[again][0].due)
		}
		if due.IsZero() {
			return nil, long
		}
		return nil, max(0, min(long, due.Sub(now)))
	}
	if s.holds(w) {
		s.queue.set(w, now.Add(holdFor), w.class)
		return nil, 0
	}
	if w.class == again && lonely {
		s.pace = now.Add(time.Minute)
	}
	s.next = now.Add(s.between)
	s.start(w, now)
	return w, 0
}

// knocks takes the integration that has not been asked for longest of those that wait for
// Mews to answer again while their tokens are not Valid, if nobody was asked for a while: so
// the end of a silence is noticed soon, however long each of them has backed off.
func (s *Schedule) knocks(now time.Time) *wait {
	if now.Before(s.knock) {
		return nil
	}
	var longest *wait
	for w := range s.pressing {
		if !w.inFlight && (longest == nil || w.asked.Before(longest.asked)) {
			longest = w
		}
	}
	if longest != nil {
		s.queue.unset(longest)
	}
	return longest
}

// takeTouched takes one of the integrations that a trouble has touched: once a minute,
// in turn. After each round one that worked until then is asked: should those that were
// touched have stopped working for reasons of their own, it ends what looked like a
// trouble, and otherwise it is touched as well.
func (s *Schedule) takeTouched(now time.Time) (*wait, time.Duration) {
	if now.Before(s.pace) {
		return nil, s.pace.Sub(now)
	}
	s.pace = now.Add(time.Minute)
	s.round++
	if s.round%(len(s.touched)+1) == 0 {
		if w := s.longestUnasked(); w != nil {
			s.start(w, now)
			return w, 0
		}
	}
	for range s.touched {
		id := s.touched[0]
		s.touched = append(s.touched[1:], id)
		if w := s.idle(id); w != nil {
			s.start(w, now)
			return w, 0
		}
	}
	return nil, time.Minute
}

// idle takes an integration out of the queue, if no probe of it is under way.
func (s *Schedule) idle(id string) *wait {
	w := s.queue.wait(id)
	if w.inFlight || s.Owner.Record(id) == nil {
		return nil
	}
	s.queue.unset(w)
	return w
}

// start notes that a probe is sent.
func (s *Schedule) start(w *wait, now time.Time) {
	if w.class == first || w.class == proven {
		w.firsts = [...]time.Time{w.firsts[1], w.firsts[2], now}
	}
	w.inFlight, w.asked = true, now
	s.knock = now.Add(silence)
	delete(s.pressing, w)
	s.flying++
}
