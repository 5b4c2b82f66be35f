package probe

import (
	"context"
	"time"

	"github.com/keyrack-dev/keyrack/internal/lease"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// sweepName is the name whose cursor says from which instant on answers are good enough: a
// sweep that is not finished asks for all others again. 0: there is none.
const sweepName = "probe sweep"

// Lead asks for the lease of the name "probe" and leads while it has it, until the
// context ends. The cursor of that name says when a leader was last alive.
func (s *Schedule) Lead(ctx context.Context) {
	k := lease.Keeper{
		Store: s.Leases, Name: "probe", Holder: store.NewEntryID(s.Owner.Now()).String(),
		TTL: s.Takeover, Patience: s.Patience,
	}
	if s.Guest {
		k.Keep(ctx, s.visit, nil)
		return
	}
	k.Keep(ctx, s.lead, nil) // where the store fails, the follower of the journal says so
}

// visit has a guest ask what it was told to, as long as the lease holds. It leaves no trace
// in the cursors, so the next leader knows how long nobody has led.
func (s *Schedule) visit(ctx context.Context, _ store.Lease) error {
	defer s.stepDown()
	s.mu.Lock()
	s.leading = true
	for id := range s.named {
		s.place(id)
	}
	s.poke()
	s.mu.Unlock()
	<-ctx.Done()
	return nil
}

// lead leads as long as the lease holds.
func (s *Schedule) lead(ctx context.Context, l store.Lease) error {
	defer s.stepDown()
	last, err := s.cursor(ctx, l.Name)
	if err != nil {
		return err
	}
	if s.kept, err = s.cursor(ctx, sweepName); err != nil {
		return err
	}
	now := lifecycle.At(s.Owner.Now())
	s.begin(now, last, s.kept)
	if s.resumeTrouble() {
		s.Owner.Alarm(ctx, Trouble)
	}
	s.alive = now
	tick := time.NewTicker(s.Takeover / 3)
	defer tick.Stop()
	for {
		// A leader is said to be alive once what it has to sweep is kept, so that a crash
		// loses none of it, and the next leader asks for nothing twice.
		if s.keepSweep(ctx, l.Holder) {
			s.advance(ctx, l, s.alive)
		}
		s.mu.Lock()
		s.pursue()
		s.mu.Unlock()
		s.tellNobody(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if now = lifecycle.At(s.Owner.Now()); now.Sub(s.alive) > away { // the machine slept
			s.begin(now, s.alive, s.kept)
		}
		s.alive = now
	}
}

func (s *Schedule) cursor(ctx context.Context, name string) (lifecycle.Instant, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	at, err := s.Leases.Cursor(ctx, name)
	return lifecycle.Instant(at), err
}

// advance notes that a leader is alive. What fails is tried again soon.
func (s *Schedule) advance(ctx context.Context, l store.Lease, now lifecycle.Instant) {
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	_ = s.Leases.Advance(ctx, l, store.Position(now))
}

// keepSweep has the store keep what there is to sweep, and reports whether it does.
func (s *Schedule) keepSweep(ctx context.Context, holder string) bool {
	sweep := s.swept()
	if sweep == s.kept {
		return true
	}
	k := lease.Keeper{Store: s.Leases, Name: sweepName, Holder: holder, TTL: s.Takeover, Patience: s.Patience}
	err := k.Hold(ctx, func(ctx context.Context, l store.Lease) error {
		return s.Leases.Advance(ctx, l, store.Position(sweep))
	})
	if err == nil {
		s.kept = sweep
	}
	return err == nil
}

func (s *Schedule) stepDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading = false
}

// begin takes the lead: it looks at all integrations, and asks anew about all of them if
// nobody was there for a while, or ever: then they came from another store. Otherwise it
// goes on with the sweep that a former leader left, if there is one.
func (s *Schedule) begin(now, last, left lifecycle.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading = true
	s.sweep = left
	if now.Sub(last) > away {
		s.sweep = now
	}
	for record := range s.Owner.Records() {
		s.place(record.ID)
	}
	s.poke()
}

// swept returns from which instant on answers are good enough; 0 once none from before it
// is left to be renewed, but those that were asked for in vain.
func (s *Schedule) swept() lifecycle.Instant {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sweep == 0 {
		return 0
	}
	for _, w := range s.queue.waits {
		if w.unswept && w.backoff < s.MaxAge() { // else there is nothing to ask with
			return s.sweep
		}
	}
	s.sweep = 0
	return 0
}
