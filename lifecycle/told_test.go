package lifecycle_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// listener is who hears of an integration's verdict: from evidence, and from time alone.
type listener struct {
	record Record
	policy Policy
	status Status
	next   Instant // when there may be something to tell
	told   int     // pieces of KindTime
	ended  []Digest
}

func (l *listener) verdict(at Instant) Status {
	return l.record.Verdict(Digest{}, &l.policy, at).Status
}

// pass tells what time does until an instant, at once.
func (l *listener) pass(until Instant) {
	for l.next != 0 && l.next <= until {
		l.tell(l.next)
	}
}

// tell tells what there is to tell.
func (l *listener) tell(now Instant) {
	for {
		e, next := l.record.Untold(&l.policy, now)
		l.next = next
		if e.Kind == 0 {
			return
		}
		l.told++
		l.record, _ = l.record.Apply(e)
		if e.Token == (Digest{}) {
			l.status = e.Status
		} else {
			l.ended = append(l.ended, e.Token)
		}
	}
}

// take takes in evidence, and hears what its entry says.
func (l *listener) take(e Evidence) {
	l.record, _ = l.record.Apply(e)
	l.status = l.verdict(e.At)
	l.tell(e.At)
}

// TestTimeIsTold: a subscriber that hears what evidence and time do to a verdict knows the
// verdict at any time, and hears nothing twice.
func TestTimeIsTold(t *testing.T) {
	ages := []time.Duration{0, 5 * time.Minute, 45 * time.Minute, 5 * time.Hour}
	rapid.Check(t, func(t *rapid.T) {
		age := func(what string) time.Duration { return rapid.SampledFrom(ages).Draw(t, what) }
		l := listener{policy: Policy{MaxAge: age("MaxAge"), Grace: age("Grace")}}
		if rapid.Bool().Draw(t, "usable") {
			l.policy.Canceled, l.policy.CanceledFor = CanceledUsable, age("CanceledFor")
		}
		if rapid.Bool().Draw(t, "assume") {
			l.policy.Assume, l.policy.AssumeAfter = true, age("AssumeAfter")
		}
		s := newSource(everything)
		for range rapid.IntRange(1, 20).Draw(t, "length") {
			before := s.now
			e := s.draw(t, &l.record)
			if e.Kind == KindReport && e.Answer == Unattributed && rapid.Bool().Draw(t, "provisional") {
				e.Answer = Rejected
			}
			for at := before; at <= s.now; at = at.Add(time.Minute) {
				l.pass(at)
				if is := l.verdict(at); l.record.Version > 0 && l.status != is {
					t.Fatalf("at %v it is %v, and what was told last is %v", at, is, l.status)
				}
			}
			l.take(e)
			if again, next := l.record.Untold(&l.policy, s.now); again.Kind != 0 || next != 0 && next <= s.now {
				t.Fatalf("%v is told twice, then at %v", again, next)
			}
			if now := l.record.Told(&l.policy, s.now); now != l.status {
				t.Fatalf("the record says that %v was told, and it was %v", now, l.status)
			}
		}
	})
}

// TestTimeTells: what each policy's time does, when, and that it is told once.
func TestTimeTells(t *testing.T) {
	on := created(Yes, token(1), start)
	canceled := delivery(IntegrationCanceled, minute(60))
	for name, life := range map[string]struct {
		policy Policy
		events []Evidence
		tells  []string
	}{
		"a lease": {Policy{MaxAge: time.Hour}, []Evidence{on}, []string{"60 unknown (lease_expired)"}},
		"a lease that is renewed": {
			Policy{MaxAge: time.Hour}, []Evidence{on, own(token(1), Accepted, minute(50), minute(50))},
			[]string{"110 unknown (lease_expired)"},
		},
		"canceled, and usable for a while": {
			Policy{Canceled: CanceledUsable, CanceledFor: 2 * time.Hour}, []Evidence{on, canceled},
			[]string{"180 invalid (canceled)"},
		},
		"a guess after a time without news": {
			Policy{Assume: true, AssumeAfter: time.Hour}, []Evidence{created(Unset, token(1), start)},
			[]string{"60 invalid (suspect_enabled)"},
		},
		"a rejection that no probe confirms": {
			Policy{}, []Evidence{on, own(token(1), Rejected, minute(60), minute(60))}, []string{"180 unknown (doubted)"},
		},
		"a grace": {
			Policy{Grace: time.Hour}, []Evidence{on, rotated(token(2), minute(60)), rotated(token(3), minute(150))},
			[]string{"120 " + token(1).String(), "210 " + token(2).String()},
		},
		"nothing": {Policy{}, []Evidence{on, canceled}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := listener{policy: life.policy}
			var tells []string
			note := func() {
				e, next := l.record.Untold(&l.policy, l.next)
				if e.Kind == 0 {
					l.next = next
					return
				}
				what := e.Token.String()
				if e.Token == (Digest{}) {
					what = fmt.Sprintf("%v (%v)", e.Status, e.Reason)
				}
				tells = append(tells, fmt.Sprintf("%.0f %s", e.At.Sub(start).Minutes(), what))
				l.record, _ = l.record.Apply(e)
			}
			for _, e := range life.events {
				for l.next != 0 && l.next <= e.At {
					note()
				}
				l.take(e)
			}
			for l.next != 0 {
				note()
			}
			if !slices.Equal(tells, life.tells) {
				t.Errorf("%q, want %q", tells, life.tells)
			}
			now := minute(100000)
			if e, next := l.record.Untold(&l.policy, now); e.Kind != 0 || next != 0 {
				t.Errorf("much later: %v, %v", e, next)
			}
		})
	}
}

// TestTimeTellsOldGracesNot: tokens that were superseded long before a grace was set, or
// this was ever told, are no news.
func TestTimeTellsOldGracesNot(t *testing.T) {
	r := fold(created(Yes, token(1), start), rotated(token(2), minute(60)))
	if e, next := r.Untold(&Policy{Grace: time.Hour}, minute(3*24*60)); e.Kind != 0 || next != 0 {
		t.Errorf("%v, %v", e, next)
	}
}

// TestTimeTellsOfClocks: a clock that jumps ahead ends leases; once it is right again the
// verdict is what it was, and that is told too. A clock that was set back gives evidence of
// the future no age, until it has one again.
func TestTimeTellsOfClocks(t *testing.T) {
	l := listener{policy: Policy{MaxAge: 24 * time.Hour}}
	l.take(created(Yes, token(1), start))
	for _, step := range []struct {
		at     int // minutes
		status Status
		told   int
	}{
		{10, Valid, 0},
		{365 * 24 * 60, Unknown, 1}, // the clock jumps
		{365*24*60 + 5, Unknown, 1},
		{20, Valid, 2}, // and is right again
		{21, Valid, 2},
		{-60, Unknown, 3}, // another instance's is behind
		{-30, Unknown, 3},
		{0, Valid, 4},
	} {
		l.tell(minute(step.at))
		if l.status != step.status || l.verdict(minute(step.at)) != step.status || l.told != step.told {
			t.Errorf("in minute %d: %v after %d were told, want %v after %d", step.at, l.status, l.told, step.status, step.told)
		}
	}
	if at := l.record.LastTold.At; at != minute(0) {
		t.Errorf("told as of %v", at)
	}
}

// TestTimeChangesNothingElse: a KindTime leaves alone all that is known.
func TestTimeChangesNothingElse(t *testing.T) {
	before := fold(created(Yes, token(1), start), rotated(token(2), minute(60)))
	for _, e := range []Evidence{
		{Kind: KindTime, At: minute(90), Integration: Named{ID: integration}, Status: Unknown, Reason: ReasonLease},
		{Kind: KindTime, At: minute(90), Integration: Named{ID: integration}, Token: token(1)},
	} {
		after, d := before.Apply(e)
		if d.Outcome != Applied || d.Alarm {
			t.Errorf("%v", d)
		}
		after.LastTold, after.Version = before.LastTold, before.Version
		after.Keys = slices.Clone(after.Keys)
		for i := range after.Keys {
			after.Keys[i].Ended = 0
		}
		if string(AppendRecord(nil, after)) != string(AppendRecord(nil, before)) {
			t.Errorf("it became\n%s\nand was\n%s", AppendRecord(nil, after), AppendRecord(nil, before))
		}
	}
}
