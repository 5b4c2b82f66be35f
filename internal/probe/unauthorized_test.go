package probe

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestExpected401: a 401 that the deliveries explain is evidence by itself, without a
// witness and without a further question.
func TestExpected401(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.answer("a", unauthorized)
		s.run()
		s.create("a")
		s.deliver("a", lifecycle.IntegrationDisabled, "")
		s.Touch("a")
		settle(maxAge / 2)
		if got := s.evidence(); !slices.Equal(got, []string{"a: expected"}) || len(s.alarmed()) != 0 {
			t.Errorf("taken in: %q; alarms %v", got, s.alarmed())
		}
		if got := s.questions(); len(got) != 1 {
			t.Errorf("asked %v", got)
		}
	})
}

// TestSurprising401: between two 200s of another token a 401 counts; the second, a minute
// later, rejects the token. Then it is asked about for a day, more and more seldom.
func TestSurprising401(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.run()
		s.create("a", "witness")
		s.Touch("a")
		s.Touch("witness")
		settle(time.Hour)
		s.evidence()
		s.answer("a", unauthorized)
		s.deliver("a", lifecycle.IntegrationEnabled, "")
		s.Touch("a")
		settle(2 * time.Minute)
		var of []string
		for _, e := range s.evidence() {
			if strings.HasPrefix(e, "a: ") {
				of = append(of, e)
			}
		}
		if want := []string{"a: unattributed", "a: rejected_once", "a: rejected"}; !slices.Equal(of, want) {
			t.Errorf("taken in: %q, want %q", of, want)
		}
		key, _ := s.Record("a").CurrentKey()
		if key.Answer != lifecycle.Rejected || s.Verdict(s.Record("a"), key.Digest).Status != lifecycle.Invalid {
			t.Errorf("the key is %+v", key)
		}
		if len(s.alarmed()) != 0 {
			t.Errorf("alarms %v", s.alarmed())
		}
		s.questions()
		settle(maxAge)
		n := strings.Count(tokens(s.questions())+" ", "a ")
		if n < 10 || n > 20 {
			t.Errorf("asked about the rejected token %d times in a day", n)
		}
	})
}

// TestWitnessIsTouched: the witness's question stays due at once though its record changes
// while it waits, and where the witness is gone another one is found.
func TestWitnessIsTouched(t *testing.T) {
	for name, meanwhile := range map[string]func(*stage){
		"its record changes": func(s *stage) {},
		"it is deleted": func(s *stage) {
			s.answer("witness", unauthorized)
			s.deliver("witness", lifecycle.IntegrationDeleted, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			scheduling(t, func(s *stage) {
				s.run()
				s.create("a", "witness")
				s.Touch("a")
				s.Touch("witness")
				settle(time.Hour)
				s.create("other")
				s.Touch("other")
				settle(time.Minute)
				s.evidence()
				s.answer("a", unauthorized)
				s.deliver("a", lifecycle.IntegrationEnabled, "")
				s.Touch("a")
				meanwhile(s)
				for range 5 * 60 {
					s.Touch("witness")
					s.Touch("other")
					settle(time.Second)
				}
				if key, _ := s.Record("a").CurrentKey(); key.Answer != lifecycle.Rejected {
					t.Errorf("%v after five minutes; asked %v", key.Answer, s.questions())
				}
			})
		})
	}
}

// TestTrouble: 401s of three tokens that were Valid are about none of them. What they said
// is taken back, the questions slow down to one a minute, and a 200 ends it.
func TestTrouble(t *testing.T) {
	scheduling(t, func(s *stage) {
		var ids []string
		for i := range 6 {
			ids = append(ids, fmt.Sprint(i))
		}
		s.create(ids...)
		s.run()
		settle(time.Hour)
		for _, id := range ids {
			s.answer(id, unauthorized)
		}
		s.evidence()
		s.questions()
		for _, id := range ids[:4] {
			s.deliver(id, lifecycle.IntegrationEnabled, "")
			s.Touch(id)
		}
		settle(time.Minute)
		if !slices.Equal(s.alarmed(), []Alarm{Trouble}) {
			t.Fatalf("alarms %v", s.alarmed())
		}
		said := s.evidence()
		s.questions()
		settle(10 * time.Minute)
		if n := len(s.questions()); n < 9 || n > 11 {
			t.Errorf("%d questions in ten minutes of trouble", n)
		}
		said = append(said, s.evidence()...)
		for _, id := range ids {
			if n := len(slices.DeleteFunc(slices.Clone(said), func(what string) bool { return what != id+": withdrawn" })); n != 1 {
				t.Errorf("of token %s it was said %d times that its 401s are not about it: %q", id, n, said)
			}
			if last := slices.Index(said, id+": withdrawn"); slices.Contains(said[last+1:], id+": unattributed") {
				t.Errorf("taken in of token %s during a trouble: %q", id, said)
			}
		}
		for _, id := range ids {
			s.answer(id, connector.Answer{Kind: connector.Accepted})
		}
		settle(5 * time.Minute)
		if !slices.Equal(s.alarmed(), []Alarm{Trouble, TroubleOver}) {
			t.Errorf("alarms %v", s.alarmed())
		}
		for _, id := range ids {
			if key, _ := s.Record(id).CurrentKey(); key.Answer != lifecycle.Accepted || key.Doubt != 0 {
				t.Errorf("token %s after the trouble: %+v", id, key)
			}
		}
	})
}

// TestTroubleEndsByTheApplication: a 200 that the application saw vouches as well.
func TestTroubleEndsByTheApplication(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.create("a", "b", "c")
		s.run()
		settle(time.Hour)
		for _, id := range []string{"a", "b", "c"} {
			s.answer(id, unauthorized)
			s.deliver(id, lifecycle.IntegrationEnabled, "")
			s.Touch(id)
		}
		settle(time.Minute)
		s.Heard(t.Context(), "a", time.Now())
		if !slices.Equal(s.alarmed(), []Alarm{Trouble, TroubleOver}) {
			t.Errorf("alarms %v", s.alarmed())
		}
	})
}

// TestNoWitness: that no token of the fleet works is told once, after five minutes.
func TestNoWitness(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.answer("a", unauthorized)
		s.create("a")
		s.run()
		settle(lonelyAfter - time.Second)
		if len(s.alarmed()) != 0 {
			t.Errorf("alarms %v before five minutes", s.alarmed())
		}
		settle(time.Hour)
		if !slices.Equal(s.alarmed(), []Alarm{NoWitness}) {
			t.Errorf("alarms %v", s.alarmed())
		}
	})
}

// TestDeliveryOvertakesARejection: what was attributed to a token is not taken in once a
// delivery has come, which has a question of its own.
func TestDeliveryOvertakesARejection(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.create("a")
		s.accept("a")
		record := s.Record("a")
		q := &inquiry{id: "a", token: digest("a"), generation: record.Generation, began: time.Now().Add(time.Second)}
		s.deliver("a", lifecycle.IntegrationEnabled, "")
		s.settle(t.Context(), q)
		q.generation = s.Record("a").Generation
		q.token = digest("no such token")
		s.settle(t.Context(), q)
		q.id = "nobody"
		s.settle(t.Context(), q)
		if got := s.evidence(); len(got) != 0 {
			t.Errorf("taken in: %q", got)
		}
		q.id, q.token = "a", digest("a")
		s.settle(t.Context(), q)
		if got := s.evidence(); !slices.Equal(got, []string{"a: rejected_once"}) {
			t.Errorf("taken in: %q", got)
		}
		q.began = q.began.Add(time.Minute - time.Second) // too soon for the second
		s.settle(t.Context(), q)
		if got := s.evidence(); len(got) != 0 {
			t.Errorf("taken in: %q", got)
		}
		s.set(func() { s.refuses = errors.New("made-up failure") })
		q.began = q.began.Add(time.Second)
		s.settle(t.Context(), q)
		if !strings.Contains(s.log.String(), "a rejection is not stored") {
			t.Errorf("the log says %q", s.log.String())
		}
	})
}

// TestVouch: beside the question about a token that the application saw a 401 for, another
// that worked is asked at once, once a gap, unless it worked a moment ago or a trouble is on.
func TestVouch(t *testing.T) {
	scheduling(t, func(s *stage) {
		s.run()
		s.create("a", "witness")
		s.Touch("a")
		s.Touch("witness")
		settle(time.Second)
		s.questions()
		s.Vouch("a") // the witness worked a second ago
		settle(time.Second)
		if got := tokens(s.questions()); got != "" {
			t.Errorf("asked %q although the witness worked a moment ago", got)
		}
		settle(time.Hour)
		s.Vouch("a")
		s.Vouch("a")
		settle(time.Second)
		if got := tokens(s.questions()); got != "witness" {
			t.Errorf("asked %q, want the witness, once", got)
		}
		settle(time.Hour)
		s.Vouch("witness") // nobody vouches for itself
		settle(time.Second)
		if got := tokens(s.questions()); got != "a" {
			t.Errorf("asked %q, want another one", got)
		}
	})
}
