package probe

import (
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// TestOneLeads: of two schedules on one store one asks. When it ends the other one takes
// over, and asks nothing anew.
func TestOneLeads(t *testing.T) {
	scheduling(t, func(s *stage) {
		other := newStage(s.owner, s.leases)
		defer other.end()
		s.run()
		other.run()
		s.create("a")
		both := func() { s.Touch("a"); other.Touch("a") }
		both()
		settle(time.Minute)
		if got := tokens(s.questions()); got != "a" || other.State("a") != (State{}) {
			t.Errorf("asked about %q; the one that does not lead plans %+v", got, other.State("a"))
		}
		s.end()
		s.deliver("a", lifecycle.IntegrationEnabled, "")
		both()
		settle(2 * takeover)
		if got := tokens(s.questions()); got != "a" {
			t.Errorf("after the takeover asked about %q", got)
		}
	})
}

// TestSteppingDown: without the lease nothing more is asked, whatever is due. A question
// that is under way is finished.
func TestSteppingDown(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.alive(0)
		s.between = 10 * time.Second
		s.set(func() { s.delay = 5 * time.Second })
		s.create("a", "b", "c")
		s.run()
		settle(time.Second)
		s.stepDown()
		settle(time.Hour)
		if got := s.questions(); len(got) != 1 || len(s.evidence()) != 1 {
			t.Errorf("asked %v, one question each ten seconds, and stepped down after one", got)
		}
		s.Touch("a")
		s.Hint("b")
		settle(time.Hour)
		if got := s.questions(); len(got) != 0 {
			t.Errorf("asked %v", got)
		}
		now := lifecycle.At(time.Now())
		s.begin(now, now)
		settle(time.Minute)
		if got := s.questions(); len(got) != 2 {
			t.Errorf("leading again, asked %v, want the two that were never asked about", got)
		}
	})
}

// TestSweep: a leader that follows on a long absence asks about everything anew, one
// that follows on a short one does not.
func TestSweep(t *testing.T) {
	for _, c := range []struct {
		ago  time.Duration
		want int
	}{{time.Minute, 0}, {away, 0}, {away + time.Minute, 3}, {1000 * time.Hour, 3}} {
		scheduling(t, func(s *stage) {
			s.create("a", "b", "c")
			for _, id := range []string{"a", "b", "c"} {
				s.accept(id)
			}
			settle(time.Minute)
			s.alive(c.ago)
			s.run()
			settle(time.Hour)
			if got := s.questions(); len(got) != c.want {
				t.Errorf("after %v without a leader: asked %v, want %d questions", c.ago, got, c.want)
			}
		})
	}
}

// TestCursorIsTheLeadersLife: while a leader lives, the cursor says so; while a sweep is
// not finished it stays where it was, so that the sweep begins anew after a crash.
func TestCursorIsTheLeadersLife(t *testing.T) {
	scheduling(t, func(s *stage) {
		age := func() time.Duration {
			t.Helper()
			at, err := s.leases.Cursor(t.Context(), "probe")
			if err != nil {
				t.Fatal(err)
			}
			return time.Since(lifecycle.Instant(at).Time())
		}
		settle(time.Hour)
		s.create("a", "b")
		s.accept("a")
		s.accept("b")
		settle(time.Minute)
		s.alive(30 * time.Minute)
		s.set(func() { s.delay = time.Hour }) // which ends as a time-out
		s.run()
		settle(10 * time.Minute)
		if got := age(); got < 40*time.Minute {
			t.Errorf("in the middle of a sweep the cursor is %v old", got)
		}
		s.set(func() { s.delay = time.Millisecond })
		settle(30 * time.Minute)
		for range 10 {
			settle(7 * time.Second)
			if got := age(); got > takeover/3 {
				t.Errorf("the cursor is %v old, though the leader lives", got)
			}
		}
	})
}

// TestSleepingMachine: a leader that finds itself asleep for longer than Mews repeats a
// delivery asks about everything anew.
func TestSleepingMachine(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.alive(0)
		s.create("a")
		s.run()
		settle(time.Minute)
		if got := s.questions(); len(got) != 1 {
			t.Fatalf("asked %v", got)
		}
		s.set(func() { s.slept = 2 * away })
		settle(time.Minute)
		if got := tokens(s.questions()); got != "a" {
			t.Errorf("after a sleep asked about %q", got)
		}
	})
}

// A store without a cursor yet belongs to nobody: everything is asked, once.
func TestFirstLeader(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.leases = memstore.New(nil)
		s.create("a")
		s.accept("a")
		settle(time.Minute)
		s.run()
		settle(time.Hour)
		if got := tokens(s.questions()); got != "a" {
			t.Errorf("asked about %q", got)
		}
	})
}
