package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

func TestQuestion(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	asks := func(what string, r Record, want int, open bool) {
		t.Helper()
		q, ok := r.Question(minute(3))
		if !ok || q.Token != token(want) || q.Open != open {
			t.Errorf("%s: asks about %v, open %v, %v; want token %d, %v", what, q.Token, q.Open, ok, want, open)
		}
	}
	silent := func(what string, r Record) {
		t.Helper()
		if q, ok := r.Question(minute(3)); ok {
			t.Errorf("%s: asks about %v", what, q)
		}
	}
	silent("nothing known", Record{})
	silent("no token known", fold(delivery(IntegrationEnabled, minute(0))))
	asks("created", fold(birth), 0, true)
	for _, answer := range []Answer{Accepted, Rejected} {
		r := fold(birth)
		r = then(r, probe(&r, token(0), answer, minute(1)))
		asks("settled by "+answer.String(), r, 0, false)
		if q, _ := r.Question(minute(3)); q.Settled != minute(1) {
			t.Errorf("settled at %v", q.Settled)
		}
		asks("after a copy", then(r, birth), 0, true)
		asks("after the application's own 401", then(r, own(token(0), Unattributed, minute(2), minute(2))), 0, true)
	}
	r := fold(birth)
	asks("unattributed", then(r, probe(&r, token(0), Unattributed, minute(1))), 0, true)

	rotation := fold(birth, rotated(token(1), minute(1)))
	asks("rotated", rotation, 1, true)
	asks("rotated, and the new one rejected", then(rotation, probe(&rotation, token(1), Rejected, minute(2))), 0, true)
	proved := then(rotation, probe(&rotation, token(1), Accepted, minute(2)))
	refused := then(proved, probe(&proved, token(1), Rejected, minute(3)))
	asks("rotated, proved, rejected: perhaps the former works", refused, 0, true)
	refused = then(refused, probe(&refused, token(0), Rejected, minute(3)))
	asks("both rejected", refused, 1, false)

	rivals := then(rotation, rotated(token(2), minute(2)))
	asks("rivals", rivals, 2, true)
	asks("rivals, one rejected", then(rivals, probe(&rivals, token(2), Rejected, minute(3))), 1, true)

	deleted := then(rotation, delivery(IntegrationDeleted, minute(3)))
	asks("deleted", deleted, 1, true)
	asks("deleted, and works", then(deleted, probe(&deleted, token(1), Accepted, minute(4))), 1, false)
	silent("deleted, and rejected", then(deleted, probe(&deleted, token(1), Rejected, minute(4))))
}

func TestRetains(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	rotation := fold(birth, rotated(token(1), minute(10)))
	proved := then(rotation, probe(&rotation, token(1), Accepted, minute(11)))
	resting := then(proved, probe(&proved, token(0), Expected, minute(12)))
	resting = then(resting, probe(&resting, token(0), Expected, minute(132)))
	resting = then(resting, probe(&resting, token(1), Accepted, minute(132)))
	deleted := then(rotation, delivery(IntegrationDeleted, minute(20)))
	back := then(rotation, probe(&rotation, token(1), Rejected, minute(11)))
	back = then(back, probe(&back, token(0), Accepted, minute(12)))
	confirmed := then(deleted, probe(&deleted, token(1), Rejected, minute(21)))
	for name, c := range map[string]struct {
		r        Record
		token    int
		now      int
		unproven time.Duration
		want     bool
	}{
		"a token of nobody's":             {rotation, 9, 10, 0, false},
		"the current one":                 {rotation, 1, 99999, time.Hour, true},
		"the former":                      {rotation, 0, 99999, 0, true},
		"the former, its successor works": {proved, 0, 11, 0, true},
		"the former, nobody asked":        {then(proved, probe(&proved, token(1), Accepted, minute(11+24*60))), 0, 11, 0, true},
		"the former, it rests":            {resting, 0, 11, 0, true},
		"the former, another for a day":   {then(resting, probe(&resting, token(1), Accepted, minute(132+24*60))), 0, 11, 0, true},
		"the former, another for longer":  {then(resting, probe(&resting, token(1), Accepted, minute(133+24*60))), 0, 11, 0, false},
		"the former, for an hour":         {rotation, 0, 69, time.Hour, true},
		"the former, after an hour":       {rotation, 0, 70, time.Hour, false},
		"swapped back":                    {back, 1, 12, 0, true},
		"deleted":                         {deleted, 1, 99999, 0, true},
		"deleted, long superseded":        {deleted, 0, 20, 0, false},
		"deleted, confirmed":              {confirmed, 1, 21, 0, false},
		"deleted, for an hour":            {deleted, 1, 79, time.Hour, true},
		"deleted, after an hour":          {deleted, 1, 80, time.Hour, false},
	} {
		if got := c.r.Retains(token(c.token), minute(c.now), c.unproven); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCurrent(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	deleted := fold(birth, delivery(IntegrationDeleted, minute(1)))
	for name, c := range map[string]struct {
		r      Record
		status Status
		reason Reason
	}{
		"unseen":                {fold(delivery(IntegrationEnabled, minute(0))), Unknown, ReasonUnseen},
		"created":               {fold(birth), Valid, ReasonLive},
		"rotated":               {fold(birth, rotated(token(1), minute(1))), Valid, ReasonLive},
		"deleted":               {deleted, Invalid, ReasonDeleted},
		"deleted, and works":    {then(deleted, probe(&deleted, token(0), Accepted, minute(2))), Unknown, ReasonDeletedAccepted},
		"deleted with no token": {fold(delivery(IntegrationDeleted, minute(1))), Invalid, ReasonDeleted},
	} {
		if v := c.r.Verdict(Digest{}, new(Policy), minute(1)); v.Status != c.status || v.Reason != c.reason || v.Integration != integration {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// TestSlowToken: a token that came later than the one that works is asked about again
// and again, and takes over as soon as it works; one that came earlier does not.
func TestSlowToken(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)), rotated(token(1), minute(10)))
	r = then(r, probe(&r, token(1), Rejected, minute(11)))
	r = then(r, probe(&r, token(0), Accepted, minute(12)))
	says(t, "the former works", r, token(0), minute(12), Valid, ReasonLive, Valid)
	var asked []int
	for now := 12; now <= 12+14*60; now++ {
		q, ok := r.Question(minute(now))
		if !ok {
			t.Fatal("nothing to ask")
		}
		if q.Open && q.Token == token(1) {
			asked = append(asked, now-12)
			r = then(r, probe(&r, token(1), Rejected, minute(now)))
		} else if next := q.Next; next <= minute(now) {
			t.Fatalf("at minute %d the next question is due at %v", now, next)
		}
	}
	if want := []int{1, 5, 15, 30, 60, 90, 120, 120 + 12*60}; !slices.Equal(asked, want) {
		t.Errorf("asked about the new token after %v minutes, want %v", asked, want)
	}
	late := then(r, probe(&r, token(1), Accepted, minute(2000)))
	says(t, "the new one works", late, token(1), minute(2000), Valid, ReasonLive, Valid)
	says(t, "and takes over", late, token(0), minute(2000), Invalid, ReasonSuperseded, Invalid)
	// The token of an IntegrationCreated that came late is older than the rotation's.
	r = fold(rotated(token(1), minute(0)), created(Yes, token(0), minute(1)))
	r = then(r, probe(&r, token(1), Accepted, minute(2)))
	r = then(r, probe(&r, token(0), Accepted, minute(3)))
	says(t, "the late Created's", r, token(0), minute(3), Invalid, ReasonSuperseded, Invalid)
	if v := r.Verdict(token(0), &Policy{ProveSince: minute(-1)}, minute(3)); v.Reason != ReasonSuperseded {
		t.Errorf("with a prober, the late Created's is %v (%v)", v.Status, v.Reason)
	}
}

// TestNoTokenStarves: where none works, each token that is kept is asked about once in a
// round, and the one that works is found.
func TestNoTokenStarves(t *testing.T) {
	for works := range 4 {
		r := fold(created(Yes, token(0), minute(0)), delivery(IntegrationDisabled, minute(60)))
		for n := 1; n < 4; n++ {
			r = then(r, rotated(token(n), minute(60+100*n)))
		}
		var asked [4]int
		for now := 400; now < 500; now++ {
			q, ok := r.Question(minute(now))
			if !ok || !q.Open {
				break
			}
			for n := range asked {
				if q.Token == token(n) {
					asked[n]++
				}
			}
			r = then(r, probe(&r, q.Token, Expected, minute(now)))
		}
		for n, times := range asked {
			if times != 1 {
				t.Errorf("token %d was asked about %d times in a round", n, times)
			}
		}
		// Enabled again, and nobody said so: the next round finds out.
		r = then(r, probe(&r, token(3), Expected, minute(2000)))
		for now := 2000; now < 2010; now++ {
			q, ok := r.Question(minute(now))
			if !ok || !q.Open {
				break
			}
			answer := Expected
			if q.Token == token(works) {
				answer = Accepted
			}
			r = then(r, probe(&r, q.Token, answer, minute(now)))
		}
		if works < 3 {
			says(t, "found out", r, token(works), minute(2010), Valid, ReasonLive, Valid)
		}
	}
}

// TestQuestionsStarveNoCandidate: where nothing works, the lease asks about all tokens in turn,
// those too that came within a horizon of the one in use. One that works in the end is found
// without a further delivery.
func TestQuestionsStarveNoCandidate(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)), delivery(IntegrationDisabled, minute(1)), rotated(token(2), minute(41)), rotated(token(1), minute(62)))
	asked := map[Digest]int{}
	now := minute(63)
	for range 12 {
		q, ok := r.Question(now)
		if !ok {
			t.Fatal("nothing is asked any more")
		}
		asked[q.Token]++
		answer := Rejected
		if !q.Open {
			now = now.Add(20 * time.Hour) // the lease
		}
		r = then(r, probe(&r, q.Token, answer, now))
		now = now.Add(time.Minute)
	}
	for n := range 3 {
		if asked[token(n)] < 3 {
			t.Errorf("token %d was asked about %d times, of 12 questions", n, asked[token(n)])
		}
	}
}
