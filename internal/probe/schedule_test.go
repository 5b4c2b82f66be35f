package probe

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// TestWhatIsAskedWhen: a new token is asked about at once, a delivery asks after the gap,
// and an answer is renewed in the last third of its time.
func TestWhatIsAskedWhen(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.run()
		settle(time.Hour)
		s.create("a")
		s.Touch("a")
		settle(time.Second)
		if got := s.questions(); len(got) != 1 || got[0].at != time.Hour {
			t.Fatalf("a new token: asked %v, want once, at once", got)
		}
		s.deliver("a", lifecycle.IntegrationEnabled, "")
		s.Touch("a")
		settle(Gap)
		if got := s.questions(); len(got) != 1 || got[0].at != time.Hour+Gap {
			t.Fatalf("after a delivery: asked %v, want once, %v after the question before", got, Gap)
		}
		answered := time.Hour + Gap
		settle(maxAge)
		got := s.questions()
		if len(got) != 1 || got[0].at < answered+maxAge*7/10 || got[0].at > answered+maxAge*9/10 {
			t.Errorf("renewed %v, want once, at seven to nine tenths of %v", got, maxAge)
		}
	})
}

// TestGap: however fast deliveries come, the questions about an integration are ten
// seconds apart, and never two under way. The fake prober
// checks the latter.
func TestGap(t *testing.T) {
	for _, delay := range []time.Duration{time.Millisecond, 15 * time.Second} {
		scheduling(t, func(s *stage) {
			s.run()
			s.create("a")
			s.Touch("a")
			settle(time.Minute)
			s.questions()
			s.set(func() { s.delay = delay })
			for range 300 {
				s.deliver("a", lifecycle.IntegrationEnabled, "")
				s.Touch("a")
				settle(time.Second)
			}
			asked := s.questions()
			for i, q := range asked[1:] {
				if apart := q.at - asked[i].at; apart < max(Gap, delay) {
					t.Errorf("answers take %v: two questions %v apart", delay, apart)
				}
			}
			if n := 300 * time.Second / max(Gap, delay); len(asked) < int(n)-1 {
				t.Errorf("answers take %v: %d questions in five minutes, want about %d", delay, len(asked), n)
			}
		})
	}
}

// TestNewTokensWaitForNoGap: each of them is asked about at once, up to three a minute. Beyond
// that the gap holds where a token of the integration was proved, and else they wait for the
// minute to end.
func TestNewTokensWaitForNoGap(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.run()
		s.create("a")
		s.Touch("a")
		for i := range 6 {
			settle(time.Second)
			s.deliver("a", lifecycle.IntegrationApiKeyCreated, fmt.Sprint("a", i))
			s.Touch("a")
		}
		settle(time.Second)
		if got := s.questions(); len(got) != 3 || got[2].at != 2*time.Second {
			t.Errorf("asked %v, want three questions, a second apart", got)
		}
		settle(time.Minute)
		if got := s.questions(); len(got) == 0 || got[0].at != 2*time.Second+Gap || len(got) > 6 {
			t.Errorf("then asked %v, want the next a gap after the last, and so on", got)
		}
	})
	scheduling(t, func(s *stage) {
		s.run()
		for i := range 6 {
			s.answer(fmt.Sprint("b", i), unauthorized)
		}
		s.create("other")
		s.Touch("other")
		s.deliver("b", lifecycle.IntegrationCreated, "b0")
		s.Touch("b")
		for i := range 5 {
			settle(time.Second)
			s.deliver("b", lifecycle.IntegrationApiKeyCreated, fmt.Sprint("b", i+1))
			s.Touch("b")
		}
		settle(time.Second)
		of := func() (all []question) {
			for _, q := range s.questions() {
				if strings.HasPrefix(q.token, "b") {
					all = append(all, q)
				}
			}
			return all
		}
		if got := of(); len(got) != 3 {
			t.Errorf("asked %v, want three questions about what nobody has proved", got)
		}
		settle(50 * time.Second)
		if got := of(); len(got) != 0 {
			t.Errorf("then asked %v within the minute", got)
		}
	})
}

// TestAtMostEightAreUnderWay, of different integrations.
func TestAtMostEightAreUnderWay(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.alive(0)
		s.delay = 5 * time.Second
		for i := range 20 {
			s.create(fmt.Sprint(i))
		}
		s.run()
		settle(20 * time.Second)
		if n := len(s.questions()); n != 20 || s.most != atOnce {
			t.Errorf("%d questions, up to %d at the same time; want 20, and %d", n, s.most, atOnce)
		}
	})
}

// TestBudget: all integrations together are asked about at the given rate.
func TestBudget(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.alive(0)
		s.between = 500 * time.Millisecond
		for i := range 20 {
			s.create(fmt.Sprint(i))
		}
		s.run()
		settle(time.Minute)
		asked := s.questions()
		if len(asked) != 20 {
			t.Fatalf("%d questions about 20 integrations", len(asked))
		}
		for i, q := range asked[1:] {
			if apart := q.at - asked[i].at; apart != 500*time.Millisecond {
				t.Errorf("two questions %v apart", apart)
			}
		}
	})
}

// TestMoreUrgentQuestionsComeFirst: of six integrations that are due at the same time,
// one of each class, the most urgent is asked about first.
func TestMoreUrgentQuestionsComeFirst(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.create("renewed", "again", "delivered", "unknown")
		for _, id := range []string{"renewed", "again", "delivered", "unknown"} {
			s.accept(id)
		}
		settle(maxAge * 9 / 10)
		for _, id := range []string{"again", "delivered", "unknown"} {
			s.accept(id)
			s.deliver(id, lifecycle.IntegrationEnabled, "")
		}
		time.Sleep(time.Millisecond)
		s.apply(lifecycle.Evidence{
			Kind: lifecycle.KindReport, Integration: lifecycle.Named{ID: "unknown"}, Token: digest("unknown"),
			Answer: lifecycle.Unattributed, Began: lifecycle.At(time.Now()),
		})
		s.create("first", "proven")
		s.accept("proven")
		s.deliver("proven", lifecycle.IntegrationApiKeyCreated, "another")
		w := s.queue.wait("again")
		w.generation, w.attempts = s.Record("again").Generation, 1
		now := lifecycle.At(time.Now())
		s.begin(now, now, 0)
		for c, want := range []string{"proven", "first", "unknown", "delivered", "again", "renewed"} {
			w, wait := s.take()
			if w == nil || w.id != want || w.class != class(c) {
				t.Fatalf("turn %d: %+v, or nothing for %v; want %s", c+1, w, wait, want)
			}
			s.next = time.Time{}
		}
		if w, wait := s.take(); w != nil || wait <= 0 {
			t.Errorf("one more turn: %+v, %v", w, wait)
		}
	})
}

// TestTouchReadsTheRecord: the plan follows from the record as it is, in whatever order
// Touch is called. Forgetting the record ends all questions.
func TestTouchReadsTheRecord(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.run()
		s.create("a")
		s.Touch("a")
		settle(time.Second)
		s.questions()
		s.deliver("a", lifecycle.IntegrationEnabled, "")
		for range 3 { // of the delivery, and of what came before it
			s.Touch("a")
		}
		if due := s.State("a").Due; !due.Equal(epoch.Add(Gap)) {
			t.Errorf("due at %v, want %v after the first question", due, Gap)
		}
		settle(Gap)
		if got := tokens(s.questions()); got != "a" {
			t.Errorf("asked about %q", got)
		}
		s.deliver("a", lifecycle.IntegrationEnabled, "")
		s.Touch("a")
		s.set(func() { delete(s.records, "a") })
		s.Touch("a")
		settle(2 * maxAge)
		if got := s.questions(); len(got) != 0 || s.State("a") != (State{}) || len(s.queue.waits) != 0 {
			t.Errorf("of a forgotten integration: asked %v, planned %+v", got, s.State("a"))
		}
	})
}

// TestForgottenWhileAsked: the answer about an integration that is forgotten meanwhile
// leaves nothing behind.
func TestForgottenWhileAsked(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.delay = 5 * time.Second
		s.run()
		s.create("a")
		s.Touch("a")
		settle(time.Second)
		s.set(func() { delete(s.records, "a"); s.refuses = store.ErrNotFound })
		s.Touch("a")
		settle(time.Hour)
		if got := tokens(s.questions()); got != "a" || len(s.queue.waits) != 0 {
			t.Errorf("asked about %q; still planned: %d", got, len(s.queue.waits))
		}
	})
}

// TestAfterRefusal: a token that Mews refused although the deliveries call it valid is
// asked about again after 1, 5 and 30 minutes, and then every two hours for a day.
func TestAfterRefusal(t *testing.T) {
	var total time.Duration
	for n, want := range []time.Duration{time.Minute, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour} {
		if got := afterRefusal(n); got != want {
			t.Errorf("after %d refusals: %v, want %v", n, got, want)
		}
	}
	n := 1
	for ; afterRefusal(n) < 1000*time.Hour; n++ {
		total += afterRefusal(n)
	}
	if total < 24*time.Hour || total > 26*time.Hour {
		t.Errorf("asked %d times over %v, want about a day", n, total)
	}
}

// TestSpread: integrations keep their place in the time of renewals, and fill it.
func TestSpread(t *testing.T) {
	var tenths [10]int
	for i := range 1000 {
		id := fmt.Sprint("integration ", i)
		x := spread(id)
		if x < 0 || x >= 1 || x != spread(id) {
			t.Fatalf("%s: %v", id, x)
		}
		tenths[int(10*x)]++
	}
	for i, n := range tenths {
		if n < 50 {
			t.Errorf("tenth %d has %d of 1000", i, n)
		}
	}
}
