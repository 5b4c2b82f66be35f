package probe

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// TestOvertakenAnswerIsFenced: an answer bears the generation that its question was about.
// A delivery that comes meanwhile makes it void, and has a question of its own.
func TestOvertakenAnswerIsFenced(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.run()
		s.create("a")
		s.Touch("a")
		settle(time.Minute)
		s.questions()
		s.set(func() { s.took, s.decided, s.delay = nil, nil, 5*time.Second })
		s.deliver("a", lifecycle.IntegrationEnabled, "")
		s.Touch("a")
		settle(time.Second) // the question is under way
		generation := s.Record("a").Generation
		s.deliver("a", lifecycle.IntegrationDisabled, "")
		s.Touch("a")
		settle(time.Minute)
		if len(s.took) != 2 || s.took[0].Generation != generation || s.took[1].Generation != generation+1 {
			t.Fatalf("taken in: %+v, want an answer of generation %d and one of the next", s.took, generation)
		}
		if !slices.Equal(s.decided, []lifecycle.Outcome{lifecycle.Fenced, lifecycle.Applied}) {
			t.Errorf("decided %v", s.decided)
		}
		if got := s.questions(); len(got) != 2 || got[1].at-got[0].at != Gap {
			t.Errorf("asked %v, want two questions %v apart", got, Gap)
		}
	})
}

// TestSilenceBacksOff: what is not answered is asked again with back-off, and no
// sooner than Mews says; an answer ends that.
func TestSilenceBacksOff(t *testing.T) {
	for name, c := range map[string]struct {
		answer connector.Answer
		least  time.Duration // between two questions
		most   int           // questions in an hour; 360 would be one each Gap
	}{
		"silence":        {connector.Answer{Kind: connector.Silent}, Gap, 80},
		"a 429":          {connector.Answer{Kind: connector.Silent, RetryAfter: 3 * time.Minute}, 3 * time.Minute, 20},
		"an unknown one": {connector.Answer{}, Gap, 80},
	} {
		scheduling(t, func(s *stage) {
			s.answer("a", c.answer)
			s.run()
			s.create("witness", "a") // where no token works, all is asked once a minute at most
			s.Touch("witness")
			s.Touch("a")
			settle(time.Hour)
			var asked []question
			for _, q := range s.questions() {
				if q.token == "a" {
					asked = append(asked, q)
				}
			}
			if len(asked) < 12 || len(asked) > c.most {
				t.Fatalf("%s: %d questions in an hour", name, len(asked))
			}
			for i, q := range asked[1:] {
				if apart := q.at - asked[i].at; apart < c.least {
					t.Errorf("%s: asked again after %v, want at least %v", name, apart, c.least)
				}
			}
			if n := s.State("a").Attempts; n != len(asked) {
				t.Errorf("%s: %d questions in vain, and %d are counted", name, len(asked), n)
			}
			s.answer("a", connector.Answer{Kind: connector.Accepted})
			settle(time.Hour)
			if n := s.State("a").Attempts; n != 0 || len(s.questions()) == 0 {
				t.Errorf("%s: after an answer %d attempts are counted", name, n)
			}
		})
	}
}

// TestUnattributedBacksOff: a 401 that nobody can attribute is taken in once, and asked
// about again after half a minute and up to a quarter of an hour.
func TestUnattributedBacksOff(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.answer("a", unauthorized)
		s.run()
		s.create("a")
		s.Touch("a")
		settle(6 * time.Hour)
		asked := s.questions()
		var apart []time.Duration
		for i, q := range asked[1:] {
			apart = append(apart, (q.at - asked[i].at).Round(time.Second))
		}
		if len(apart) < 20 || len(apart) > 40 || apart[len(apart)-1] < longestPause || apart[len(apart)-1] > longestPause+time.Minute {
			t.Errorf("asked after %v", apart)
		}
		if got := s.evidence(); len(got) != 1 || got[0] != "a: unattributed" {
			t.Errorf("taken in: %q", got)
		}
	})
}

// TestTokenThatIsNotKept: without the token there is nothing to ask with until a delivery
// brings one; a store that fails is tried again.
func TestTokenThatIsNotKept(t *testing.T) {
	for _, c := range []struct {
		err  error
		soon bool // it is tried again within the hour
	}{{store.ErrNotFound, false}, {errors.New("made-up failure"), true}} {
		scheduling(t, func(s *stage) {
			s.set(func() { s.lost = c.err })
			s.run()
			s.create("a")
			s.Touch("a")
			settle(time.Minute)
			s.set(func() { s.lost = nil })
			settle(time.Hour)
			if got := s.questions(); (len(got) > 0) != c.soon {
				t.Errorf("%v: asked %v within the hour", c.err, got)
			}
			s.deliver("a", lifecycle.IntegrationApiKeyCreated, "new")
			s.Touch("a")
			settle(time.Minute)
			if got := tokens(s.questions()); !strings.Contains(got, "new") {
				t.Errorf("%v: after a rotation asked about %q", c.err, got)
			}
		})
	}
}

// TestAnswerThatIsNotStored: what the owner does not take in is asked again.
func TestAnswerThatIsNotStored(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.set(func() { s.refuses = errors.New("made-up failure") })
		s.run()
		s.create("a")
		s.Touch("a")
		settle(time.Minute)
		s.set(func() { s.refuses = nil })
		before := len(s.questions())
		settle(time.Hour)
		if got := s.questions(); before == 0 || len(got) != 1 || s.State("a").Attempts != 0 {
			t.Errorf("asked %d times, and then %v", before, got)
		}
		if !strings.Contains(s.log.String(), "a probe's answer is not stored") {
			t.Errorf("the log says %q", s.log.String())
		}
	})
}

// TestProberIsNotTrusted: one that panics is silent, what it panics with is in no log,
// and when a question began is the owner's to say.
func TestProberIsNotTrusted(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.answer("a", connector.Answer{Kind: connector.Accepted, Began: time.Now().Add(1000 * time.Hour)})
		s.set(func() { s.breaks = "made-up token 0123456789" })
		s.run()
		s.create("a")
		s.Touch("a")
		settle(time.Second)
		if log := s.log.String(); !strings.Contains(log, "panic in the prober") || strings.Contains(log, "0123456789") {
			t.Errorf("the log says %q", log)
		}
		s.set(func() { s.breaks = nil })
		settle(time.Hour)
		asked := s.questions()
		if len(s.told) != len(asked) || len(asked) < 2 || s.told[0].Kind != 0 {
			t.Fatalf("told %+v of %v", s.told, asked)
		}
		if at := s.took[0].Began; at != lifecycle.At(epoch.Add(asked[len(asked)-1].at)) {
			t.Errorf("the answer that is taken in began at %v", at)
		}
	})
}

// TestQuestionTimesOut after 20 s.
func TestQuestionTimesOut(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.delay = time.Hour
		s.run()
		s.create("a")
		s.Touch("a")
		settle(timeout - time.Second)
		if !s.State("a").InFlight {
			t.Error("not under way")
		}
		settle(2 * time.Second)
		if state := s.State("a"); state.Attempts != 1 || len(s.questions()) != 2 {
			t.Errorf("after %v it is %+v, want a second attempt", timeout, state)
		}
	})
}

// TestHint: a sign of life is worth a question, and once an hour.
func TestHint(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.Hint("a") // nobody leads
		s.run()
		s.Hint("a") // there is no such integration
		s.create("a")
		s.Touch("a")
		settle(30 * time.Minute)
		s.questions()
		for range 100 {
			s.Hint("a")
			settle(time.Minute)
		}
		got := s.questions()
		if len(got) != 2 || got[0].at != time.Hour || got[1].at != 2*time.Hour {
			t.Errorf("asked %v, want an hour after each question before", got)
		}
	})
}

// TestSilenceEnds: the first 200 after a silence has all asked at once whose questions got
// no answer. A single integration that gets none is not asked whenever others get theirs.
func TestSilenceEnds(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.run()
		ids := []string{"a", "b", "c", "d", "e"}
		for _, id := range ids {
			s.answer(id, connector.Answer{Kind: connector.Silent})
		}
		s.create(ids...)
		for _, id := range ids {
			s.Touch(id)
		}
		settle(2 * time.Hour)
		for _, id := range ids {
			s.answer(id, connector.Answer{Kind: connector.Accepted, Enterprise: lifecycle.Named{ID: "enterprise " + id}})
		}
		s.questions()
		var asked []string
		for len(asked) == 0 {
			settle(time.Second)
			asked = strings.Fields(tokens(s.questions()))
		}
		settle(12 * time.Second)
		asked = append(asked, strings.Fields(tokens(s.questions()))...)
		slices.Sort(asked)
		if !slices.Equal(asked, ids) {
			t.Errorf("within seconds of the first answer %q were asked, want all, once", asked)
		}

		s.answer("e", connector.Answer{Kind: connector.Silent})
		s.deliver("e", lifecycle.IntegrationEnabled, "")
		s.Touch("e")
		settle(time.Hour)
		s.questions()
		for range 100 { // others get answers all the time
			s.Heard(t.Context(), "a", time.Now())
			settle(30 * time.Second)
		}
		if n := strings.Count(tokens(s.questions())+" ", "e "); n > 50 {
			t.Errorf("asked %d times in 50 minutes about the one that gets no answer", n)
		}
	})
}
