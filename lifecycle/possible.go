package lifecycle

import "github.com/keyrack-dev/keyrack/lifecycle/internal/belief"

// This file keeps what is certain of the two flags: package belief works it out
// whenever evidence of them comes, for every policy, and the record holds the result,
// so that a verdict only reads it.

var toggles = map[Action]belief.Event{
	IntegrationEnabled:    belief.Enabled,
	IntegrationDisabled:   belief.Disabled,
	IntegrationCanceled:   belief.Canceled,
	IntegrationReinstated: belief.Reinstated,
}

// span is the horizon as package belief counts it.
func (e *Evidence) span() int64 { return e.horizon().Microseconds() }

// heard takes in the arrival of a toggle.
func (r *Record) heard(e *Evidence) {
	r.Belief, r.Possible = r.Belief.Arrived(toggles[e.Action], int64(e.At.bound()), e.span())
}

// born takes in an IntegrationCreated.
func (r *Record) born(e *Evidence) {
	births := belief.BornEither
	switch e.IsEnabled {
	case Yes:
		births = belief.BornEnabled
	case No:
		births = belief.BornDisabled
	}
	r.Belief, r.Possible = r.Belief.Created(births, int64(e.At.bound()), e.span())
}

// begun takes in that a person says how things are: so they began, where nothing is
// known yet. What came before may say otherwise.
func (r *Record) begun(enabled bool, e *Evidence) {
	births := belief.BornDisabled
	if enabled {
		births = belief.BornEnabled
	}
	r.Belief, r.Possible = r.Belief.Begun(births, int64(e.At.bound()), e.span())
	if r.State.enabled() != enabled {
		r.Belief, r.Possible = r.Belief.Doubted(int64(e.At.bound()), e.span())
	}
}

// worked takes in that a token worked when the request began.
func (r *Record) worked(e *Evidence) {
	r.Belief, r.Possible = r.Belief.Worked(int64(firstOf(e.Began, e.At).bound()), e.span())
}

// presents returns what is possible under a policy.
func (r *Record) presents(p *Policy) belief.Presents {
	l, reinstating := belief.One, belief.Asks
	if p.Levels > 1 {
		l = belief.Two
	}
	switch p.Reinstated {
	case No:
		reinstating = belief.Keeps
	case Yes:
		reinstating = belief.Sets
	}
	canceling := belief.Untold
	if p.Canceled != CanceledInvalid {
		canceling = belief.Told // else its token's worth could not be known
	}
	return r.Possible[l][reinstating][canceling]
}

// shows returns what the state says of the flags.
func (s State) shows() belief.Presents {
	switch {
	case s.canceled() && s.enabled():
		return belief.CanceledEnabled
	case s.canceled():
		return belief.CanceledDisabled
	case s.enabled():
		return belief.Live
	}
	return belief.Off
}

const (
	disabledPresents = belief.Off | belief.CanceledDisabled
	canceledPresents = belief.CanceledEnabled | belief.CanceledDisabled
	allPresents      = belief.Live | belief.Off | canceledPresents
)

// tally counts what is possible, with the state as the best guess. Canceled is since when it
// is canceled, if it is.
func (s State) tally(t *tally, canceled Instant, possible belief.Presents, p *Policy, now Instant) {
	switch possible {
	case belief.Live:
		return
	case 0: // nobody worked it out
		possible = allPresents
	}
	usable := p.Canceled == CanceledUsable && (p.CanceledFor == 0 || fresh(now, canceled, p.CanceledFor))
	yes, no := belief.Live, allPresents&^belief.Live
	switch {
	case usable:
		yes, no = belief.Live|belief.CanceledEnabled, disabledPresents
	case p.Canceled == CanceledAsk:
		no = disabledPresents
	}
	guess := s.shows()&yes != 0
	switch {
	case possible&^yes == 0:
	case possible&^no == 0:
		t.deny(s.refusal(possible, no))
	case possible&^canceledPresents == 0 && !usable:
		t.doubt(ReasonCanceled, false)
	case possible&canceledPresents != 0 && !usable:
		t.doubt(ReasonSuspectCanceled, guess)
	default:
		t.doubt(ReasonSuspectEnabled, guess)
	}
}

// refusal says why no present that is possible works. Where that differs among them,
// the best guess decides.
func (s State) refusal(possible, no belief.Presents) Reason {
	switch {
	case no&belief.CanceledEnabled == 0: // a cancellation refuses nothing
	case possible&^canceledPresents == 0, possible&^disabledPresents != 0 && s.canceled():
		return ReasonCanceled
	}
	return ReasonDisabled
}
