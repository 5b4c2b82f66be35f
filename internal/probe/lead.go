package probe

import (
	"context"
	"time"

	"github.com/keyrack-dev/keyrack/internal/lease"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Lead asks for the lease of the name "probe" and leads while it has it, until the
// context ends. The cursor of that name says when a leader was last alive.
func (s *Schedule) Lead(ctx context.Context) {
	k := lease.Keeper{
		Store: s.Leases, Name: "probe", Holder: store.NewEntryID(s.Owner.Now()).String(),
		TTL: s.Takeover, Patience: s.Patience,
	}
	k.Keep(ctx, s.lead, nil) // where the store fails, the follower of the journal says so
}

// lead leads as long as the lease holds.
func (s *Schedule) lead(ctx context.Context, l store.Lease) error {
	defer s.stepDown()
	last, err := s.cursor(ctx, l.Name)
	if err != nil {
		return err
	}
	now := lifecycle.At(s.Owner.Now())
	s.begin(now, last)
	if s.resumeTrouble() {
		s.Owner.Alarm(ctx, Trouble)
	}
	s.alive = now
	tick := time.NewTicker(s.Takeover / 3)
	defer tick.Stop()
	for {
		// A sweep that is not finished begins anew after a crash: until then the cursor
		// stays where it was.
		if s.swept() {
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
			s.begin(now, s.alive)
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

func (s *Schedule) stepDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading = false
}

// begin takes the lead: it looks at all integrations, and asks anew about all of them
// if nobody was there for a while, or ever: then they came from another store.
func (s *Schedule) begin(now, last lifecycle.Instant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading = true
	switch {
	case now.Sub(last) <= away:
		s.sweep = 0
	case s.sweep == 0 || now.Sub(s.alive) > away: // else it goes on
		s.sweep = now
	}
	for record := range s.Owner.Records() {
		s.place(record.ID)
	}
	s.poke()
}

// swept reports whether no answer from before the sweep is left to be renewed, but
// those that were asked for in vain.
func (s *Schedule) swept() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sweep == 0 {
		return true
	}
	for _, w := range s.queue.waits {
		if w.unswept && w.backoff < s.MaxAge { // else there is nothing to ask with
			return false
		}
	}
	s.sweep = 0
	return true
}
