package probe

import (
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
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
		s.begin(now, now, 0)
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

// TestSweepIsLeftToTheNext: while a leader lives, the cursor says so, in the middle of a
// sweep too. What is left of the sweep the next leader does, and no more.
func TestSweepIsLeftToTheNext(t *testing.T) {
	scheduling(t, func(s *stage) {
		cursor := func(name string) lifecycle.Instant {
			t.Helper()
			at, err := s.leases.Cursor(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return lifecycle.Instant(at)
		}
		alive := func() {
			t.Helper()
			for range 10 {
				settle(7 * time.Second)
				if age := time.Since(cursor("probe").Time()); age > takeover/3 {
					t.Errorf("the cursor is %v old, though the leader lives", age)
				}
			}
		}
		settle(time.Hour)
		s.create("a", "b", "c")
		for _, id := range []string{"a", "b", "c"} {
			s.accept(id)
		}
		settle(time.Minute)
		s.alive(30 * time.Minute)
		s.answer("c", connector.Answer{Kind: connector.Silent})
		s.run()
		alive()
		sweep := cursor(sweepName)
		if sweep == 0 {
			t.Error("nothing is kept of a sweep that is not finished")
		}
		s.end()
		s.questions()

		settle(time.Minute)
		next := newStage(s.owner, s.leases)
		defer next.end()
		next.run()
		alive()
		if asked := tokens(s.questions()); strings.Trim(asked, "c ") != "" || asked == "" {
			t.Errorf("after a minute without a leader, in the middle of a sweep: asked about %s", asked)
		}
		if got := cursor(sweepName); got != sweep {
			t.Errorf("the sweep is now from %v, not %v", got, sweep)
		}
		s.answer("c", connector.Answer{Kind: connector.Accepted})
		settle(10 * time.Minute)
		if got := cursor(sweepName); got != 0 {
			t.Errorf("the sweep is finished, and %v is kept of it", got)
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
