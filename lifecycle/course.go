package lifecycle

import "slices"

// Pair is what is known of two opposite actions beyond the state: Enabled and
// Disabled, or Canceled and Reinstated. The two pairs do not touch each other,
// but for a reinstatement, which leaves the enabled flag in doubt.
type Pair struct {
	// Set and Cleared are the latest arrivals of Enabled and Disabled, or of
	// Canceled and Reinstated. A token that works says Enabled and Reinstated when
	// the request began.
	Set     Instant `json:",omitzero"`
	Cleared Instant `json:",omitzero"`
	// Since is the arrival that made the flag what it is.
	Since Instant `json:",omitzero"`
	// Suspect: the deliveries admit more than one present, so that the flag is
	// the better guess and no more.
	Suspect bool `json:",omitzero"`
	// First: the latest arrival changed a flag that was certain, and nothing of the
	// pair had come within the horizon before it. If its opposite comes next, the
	// two have not changed places, since what it says was so already; then the
	// flag is what it was.
	First bool `json:",omitzero"`
	// Early are the arrivals, oldest first, of duplicates that may turn out to be
	// the early half of a pair whose late half is still under way. Those older
	// than the horizon no longer count.
	Early []Instant `json:",omitzero"`
}

// maxEarly bounds what a storm of duplicates can make a record remember.
const maxEarly = 8

func (p *Pair) isZero() bool {
	return p.Set == 0 && p.Cleared == 0 && p.Since == 0 && !p.Suspect && !p.First && len(p.Early) == 0
}

func (p *Pair) latest() Instant { return max(p.Set, p.Cleared) }

// forget drops the early halves whose late halves can no longer come.
func (p *Pair) forget(e *Evidence) {
	n := 0
	for n < len(p.Early) && !e.within(p.Early[n]) {
		n++
	}
	if p.Early = p.Early[n:]; len(p.Early) == 0 {
		p.Early = nil
	}
}

func (p *Pair) remember(at Instant) {
	early := p.Early
	if len(early) == maxEarly {
		early = early[1:]
	}
	p.Early = append(slices.Clip(early), at)
}

// within tells whether an earlier arrival lies within the horizon of this one.
// A clock that went back counts as within: what is not known is not certain.
func (e *Evidence) within(earlier Instant) bool {
	return earlier != 0 && e.At.Sub(earlier) <= e.horizon()
}

// Course is a state with its two pairs. A record has one; while
// IntegrationCreated has not come, it follows two more: one as if Created had
// said enabled, the other as if it had said disabled. Whichever Created comes
// then picks its course, and so commutes with all that came before it.
type Course struct {
	State    State `json:",omitzero"`
	Enabled  Pair  `json:",omitzero"` // Set by IntegrationEnabled, Cleared by IntegrationDisabled
	Canceled Pair  `json:",omitzero"` // Set by IntegrationCanceled, Cleared by IntegrationReinstated
}

// deliver takes in one of the four actions of the two pairs, in a state that
// is neither Unseen nor Deleted.
func (c *Course) deliver(e *Evidence) Outcome {
	column, _ := columnOf(e.Action, false)
	cell := next(c.State, column)
	reinstated := e.Action == IntegrationReinstated
	pair, set := &c.Enabled, e.Action == IntegrationEnabled
	if reinstated || e.Action == IntegrationCanceled {
		pair, set = &c.Canceled, !reinstated
	}
	same, opposite := &pair.Set, &pair.Cleared
	if !set {
		same, opposite = opposite, same
	}
	// Alone: more than a horizon after any other event of the pair, so that all
	// that is older has arrived. What a reinstatement did to the enabled flag
	// counts among them.
	alone := !e.within(pair.latest())
	if pair == &c.Enabled && e.within(c.Canceled.Cleared) {
		alone = false
	}
	pair.forget(e)

	var outcome Outcome
	first := false
	switch {
	case cell.rule != transition:
		outcome = Duplicate
		if cell.rule == park {
			outcome = Parked
		}
		pair.remember(e.At)
		if alone {
			pair.Suspect = false
		}
		if reinstated && !e.within(pair.Cleared) {
			c.Enabled.Suspect = true // it is no copy: its cancellation is late or lost
		}
	case len(pair.Early) > 0:
		outcome = Reconciled
		pair.Early = pair.Early[1:]
		if len(pair.Early) == 0 {
			pair.Early = nil
		}
		pair.Suspect = true
		if pair == &c.Canceled {
			c.Enabled.Suspect = true
		}
	default:
		outcome = Applied
		c.State = cell.to
		pair.Since = e.At
		first = alone && !pair.Suspect
		switch {
		case alone:
			pair.Suspect = false
		case e.within(*opposite) && !pair.First:
			pair.Suspect = true
		}
		c.Enabled.Suspect = c.Enabled.Suspect || reinstated
	}
	pair.First = first
	*same = e.At
	return outcome
}

// settle makes the course what a token says that worked when the request began.
// A delivery that comes within the horizon after it may be older.
func (c *Course) settle(e *Evidence) {
	live := c.State.proven()
	if live.enabled() != c.State.enabled() {
		c.Enabled.Since, c.Enabled.Early = e.At, nil
	}
	if c.State.canceled() {
		c.Canceled.Since, c.Canceled.Early = e.At, nil
	}
	c.State = live
	c.Enabled.Suspect, c.Canceled.Suspect = false, false
	c.Enabled.First, c.Canceled.First = false, false
	for _, heard := range []*Instant{&c.Enabled.Set, &c.Canceled.Cleared} {
		if !e.overtaken(*heard) {
			*heard = e.Began
		}
	}
}

// doubtOld marks what was heard longer than a horizon ago: a Created that comes
// so much later leaves open what was lost between.
func (c *Course) doubtOld(e *Evidence) {
	for _, p := range []*Pair{&c.Enabled, &c.Canceled} {
		if p.latest() != 0 && !e.within(p.latest()) {
			p.Suspect = true
		}
	}
}
