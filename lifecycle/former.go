package lifecycle

import "github.com/keyrack-dev/keyrack/lifecycle/internal/belief"

// This file brings records of earlier formats up to date, and reads earlier names.

// formerKinds are the names that kinds of evidence had in records and journals before.
var formerKinds = map[string]Kind{"application": KindReport, "ask": KindProbeRequest, "hand-out": KindIssue}

// formerFlags is what formats 1 and 2 said of the flags.
type formerFlags struct {
	Format int
	formerCourse
	Parked []formerCourse
}

type formerCourse struct {
	State             State
	Enabled, Canceled formerPair
}

// formerPair held the latest arrivals of each of two opposite actions, and whether
// the flag was the better guess and no more.
type formerPair struct {
	Set, Cleared, Since Instant
	Suspect             bool
}

func (p *formerPair) latest() Instant { return max(p.Set, p.Cleared) }

// addTimes works out what format 1 did not have: the time of the latest evidence of
// each fact. Where it does not tell, the fact is as old as the token.
func (r *Record) addTimes(former *formerFlags) {
	if r.State == Deleted {
		return
	}
	for i := range r.Keys {
		k := &r.Keys[i]
		k.At = max(k.Since, k.Accepted)
		if r.Basis.Kind == KindProbe && r.Basis.At == k.Accepted {
			k.Proved, k.Probed = k.Accepted, k.Generation
		}
		r.CanceledAt = firstOf(r.CanceledAt, k.At)
	}
	course := former.course()
	r.EnabledAt = max(course.Enabled.latest(), course.Enabled.Since)
	r.CanceledAt = firstOf(course.Canceled.latest(), r.CanceledAt)
}

// course is the one that is followed, or while unseen the one that was born enabled.
func (f *formerFlags) course() *formerCourse {
	if len(f.Parked) == 2 {
		return &f.Parked[1]
	}
	return &f.formerCourse
}

// addPossible works out what formats 1 and 2 did not have: what is possible of the
// two flags. What was suspect may be anything; and what arrives within a horizon of
// what came before is not worked through, since the arrivals were not kept.
func (r *Record) addPossible(former *formerFlags) {
	if r.State == Deleted || r.State == Unseen && len(former.Parked) != 2 {
		return
	}
	course := former.course()
	disabled, enabled := course.possible(), course.possible()
	if r.State == Unseen {
		disabled = former.Parked[0].possible()
	}
	r.Belief, r.Possible = belief.Known(r.State != Unseen, disabled, enabled,
		int64(max(course.Enabled.latest(), course.Canceled.latest()).bound()), int64(course.Canceled.latest().bound()))
}

func (c *formerCourse) possible() belief.Presents {
	var enabled, canceled [2]bool // by what it may be: no, yes
	enabled[boolIndex(c.State.enabled())] = true
	canceled[boolIndex(c.State.canceled())] = true
	if c.Enabled.Suspect {
		enabled = [2]bool{true, true}
	}
	if c.Canceled.Suspect {
		canceled = [2]bool{true, true}
	}
	var p belief.Presents
	for i, shown := range [2][2]belief.Presents{{belief.Off, belief.Live}, {belief.CanceledDisabled, belief.CanceledEnabled}} {
		for j := range shown {
			if canceled[i] && enabled[j] {
				p |= shown[j]
			}
		}
	}
	return p
}
