package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// asksFor runs a record's questions over a time, minute by minute, and answers as if some
// tokens worked. It returns when it asked about each token, in minutes since the beginning.
func asksFor(r Record, from, minutes int, works func(n, minute int) bool) (Record, [4][]int) {
	var asked [4][]int
	for now := from; now <= from+minutes; now++ {
		for range 2 * MaxKeys {
			q, ok := r.Question(minute(now))
			if !ok || !q.Open {
				break
			}
			for n := range asked {
				if q.Token != token(n) {
					continue
				}
				asked[n] = append(asked[n], now-from)
				answer := Expected
				if works(n, now-from) {
					answer = Accepted
				}
				r = then(r, probe(&r, token(n), answer, minute(now)))
			}
		}
	}
	return r, asked
}

// TestTokenRests: a former token is asked about until it was refused twice, two hours
// apart, each time beside a 200 of the one that works. Then it rests.
func TestTokenRests(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	r = then(r, probe(&r, token(0), Accepted, minute(1)))
	r = then(r, rotated(token(1), minute(60)))
	r, asked := asksFor(r, 60, 3*24*60, func(n, _ int) bool { return n == 1 })
	if want := []int{0, 120}; !slices.Equal(asked[0], want) {
		t.Errorf("the former was asked about after %v minutes, want %v", asked[0], want)
	}
	if want := []int{0, 120}; !slices.Equal(asked[1], want) {
		t.Errorf("the one that works was asked about after %v minutes, want %v", asked[1], want)
	}
	k, _ := r.Key(token(0))
	if k.Refused != minute(60) || k.Rests != minute(180) {
		t.Errorf("refused at %v, rests since %v", k.Refused, k.Rests)
	}
	says(t, "it rests", r, token(0), minute(4000), Invalid, ReasonSuperseded, Invalid)

	// As soon as no token works, those that rest are asked about again.
	r = then(r, delivery(IntegrationDisabled, minute(5000)))
	r, asked = asksFor(r, 5001, 10, func(n, _ int) bool { return n == 0 })
	if len(asked[0]) == 0 {
		t.Error("nothing works, and it rests on")
	}
	says(t, "it works again", r, token(0), minute(5001), Valid, ReasonLive, Valid)
	if k, _ := r.Key(token(0)); k.Refused != 0 || k.Rests != 0 {
		t.Errorf("it works, and was refused at %v, rests since %v", k.Refused, k.Rests)
	}
}

// TestRefusedAlone: a 401 that no 200 of a later token lies beside says nothing about
// which token is the newest.
func TestRefusedAlone(t *testing.T) {
	birth := fold(created(Yes, token(0), minute(0)), rotated(token(1), minute(60)))
	for name, c := range map[string]struct {
		later, former, again int // minutes
		rests                bool
	}{
		"beside, two hours apart":          {60, 60, 181, true},
		"a minute before":                  {60, 61, 181, true},
		"a minute after":                   {61, 60, 181, true},
		"two minutes after":                {62, 60, 181, false},
		"less than two hours apart":        {60, 60, 179, false},
		"refused while nothing else works": {0, 60, 181, false},
	} {
		r := birth
		if c.later > 0 {
			r = then(r, probe(&r, token(1), Accepted, minute(c.later)))
		}
		r = then(r, probe(&r, token(0), Expected, minute(c.former)))
		r = then(r, probe(&r, token(0), Expected, minute(c.again)))
		r = then(r, probe(&r, token(1), Accepted, minute(c.again)))
		if k, _ := r.Key(token(0)); (k.Rests != 0) != c.rests {
			t.Errorf("%s: refused at %v, rests since %v", name, k.Refused, k.Rests)
		}
	}
	// The 200 of an earlier token counts nothing against a later one.
	r := then(birth, probe(&birth, token(1), Rejected, minute(60)))
	r = then(r, probe(&r, token(0), Accepted, minute(60)))
	r = then(r, probe(&r, token(1), Expected, minute(200)))
	r = then(r, probe(&r, token(0), Accepted, minute(200)))
	if k, _ := r.Key(token(1)); k.Refused != 0 || k.Rests != 0 {
		t.Errorf("the later was refused at %v, rests since %v", k.Refused, k.Rests)
	}
}

// TestSeveralWork: of several tokens within a horizon that answer 200 the latest delivered
// is Valid and the others Unknown, and what answers 200 at the end is current.
func TestSeveralWork(t *testing.T) {
	birth := fold(created(Yes, token(0), minute(0)), rotated(token(1), minute(60)), rotated(token(2), minute(61)))
	steps := []int{0, 1, 5, 15, 30, 60, 90, 120}
	for name, c := range map[string]struct {
		works   func(n, minute int) bool
		current int
		later   bool // the other works on
	}{
		"the latest, and the other for an hour":  {func(n, at int) bool { return n == 2 || n == 1 && at < 60 }, 2, false},
		"the latest for an hour, then the other": {func(n, at int) bool { return n == 1 || n == 2 && at < 60 }, 1, false},
		"both":                                   {func(n, _ int) bool { return n != 0 }, 2, true},
		"the latest is slow":                     {func(n, at int) bool { return n == 1 && at < 10 || n == 2 && at >= 10 }, 2, false},
		"the latest never worked":                {func(n, _ int) bool { return n == 1 }, 1, false},
	} {
		r, asked := asksFor(birth, 61, 3, c.works)
		if c.works(1, 3) && c.works(2, 3) {
			says(t, name+": the latest", r, token(2), minute(64), Valid, ReasonLive, Valid)
			says(t, name+": the other", r, token(1), minute(64), Unknown, ReasonSuspectKey, Invalid)
		}
		r, _ = asksFor(r, 65, 20, func(n, at int) bool { return c.works(n, at+4) })
		// The lease, or an own 401, has the current one asked about.
		for _, at := range []int{130, 190} {
			r = then(r, Evidence{Kind: KindProbeRequest, At: minute(at), Horizon: horizon, Integration: Named{ID: integration}})
			r, asked = asksFor(r, at, 1, func(n, m int) bool { return c.works(n, m+at-61) })
		}
		says(t, name+": the one that works", r, token(c.current), minute(200), Valid, ReasonLive, Valid)
		if k, _ := r.CurrentKey(); k.Digest != token(c.current) {
			t.Errorf("%s: %v is current", name, k.Digest)
		}
		want := Invalid
		if c.later {
			want = Unknown
		}
		if v := r.Verdict(token(3-c.current), &Policy{ProveSince: minute(-1)}, minute(200)); v.Status != want {
			t.Errorf("%s: the other is %v (%v), want %v", name, v.Status, v.Reason, want)
		}
		_ = asked
	}
	r, asked := asksFor(birth, 61, 120, func(n, _ int) bool { return n == 2 })
	if !slices.Equal(asked[1], steps) {
		t.Errorf("the candidate was asked about after %v minutes, want %v", asked[1], steps)
	}
	if k, _ := r.Key(token(1)); k.Rests != minute(61).Add(2*time.Hour) {
		t.Errorf("it rests since %v", k.Rests)
	}
}

// TestForgedTokenOfAnotherHotel: a rotation that brings a token of another enterprise does
// not keep the former from being asked about, and gives way to it.
func TestForgedTokenOfAnotherHotel(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	r = then(r, probe(&r, token(0), Accepted, minute(1)))
	r = then(r, rotated(token(1), minute(100)))
	elsewhere := probe(&r, token(1), Accepted, minute(101))
	elsewhere.Enterprise.ID = "another"
	r = then(r, elsewhere)
	q, ok := r.Question(minute(101))
	if !ok || !q.Open || q.Token != token(0) {
		t.Fatalf("asks about %v, open %v", q.Token, q.Open)
	}
	r = then(r, probe(&r, token(0), Accepted, minute(101)))
	says(t, "the true one", r, token(0), minute(101), Valid, ReasonLive, Valid)
	if v := r.Verdict(token(1), new(Policy), minute(101)); v.Status == Valid {
		t.Errorf("the forged one is %v (%v)", v.Status, v.Reason)
	}
}

// TestDisplacedByOne401: one 401 of the newest token and a 200 of the former swap them back. As
// long as the 401 is not attributed nobody knows whether it was about the token, so the newest
// is Unknown, not Invalid, also where deliveries are taken at their word.
func TestDisplacedByOne401(t *testing.T) {
	rotation := fold(created(Yes, token(0), minute(0)), rotated(token(1), minute(100)))
	for answer, want := range map[Answer]Reason{Unattributed: ReasonUnattributed, RejectedOnce: ReasonRejectedOnce, Rejected: ReasonSuperseded} {
		r := then(rotation, probe(&rotation, token(1), answer, minute(101)))
		r = then(r, probe(&r, token(0), Accepted, minute(102)))
		says(t, answer.String()+": the former", r, token(0), minute(103), Valid, ReasonLive, Valid)
		status := Unknown
		if answer == Rejected {
			status = Invalid
		}
		says(t, answer.String()+": the newest", r, token(1), minute(103), status, want, Invalid)
		r = then(r, probe(&r, token(1), Accepted, minute(104)))
		says(t, answer.String()+": the newest once it works", r, token(1), minute(105), Valid, ReasonLive, Valid)
		says(t, answer.String()+": the former then", r, token(0), minute(105), Invalid, ReasonSuperseded, Invalid)
	}
	// What the application's own calls alone told counts for two hours.
	told := own(token(1), Rejected, minute(101), minute(101))
	r := then(rotation, told)
	r = then(r, own(token(0), Accepted, minute(102), minute(103)))
	says(t, "by own calls", r, token(1), minute(104), Invalid, ReasonRejected, Invalid)
	says(t, "by own calls, two hours later", r, token(1), minute(222), Unknown, ReasonDoubted, Invalid)
	// A newer delivery supersedes for certain.
	r = then(rotation, probe(&rotation, token(1), Unattributed, minute(101)))
	r = then(r, rotated(token(2), minute(200)))
	says(t, "rotated once more", r, token(1), minute(201), Invalid, ReasonSuperseded, Invalid)
}
