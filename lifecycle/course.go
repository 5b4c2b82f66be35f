package lifecycle

import "slices"

// pair is what the state machine remembers of two opposite actions, Enabled and
// Disabled or Canceled and Reinstated, to follow its best guess. What is certain of
// them, [Record.Possible] says.
type pair struct {
	// Since is the arrival that made the flag what it is.
	Since Instant `json:",omitzero"`
	// Early are the arrivals, oldest first, of duplicates that may turn out to be
	// the early half of a pair whose late half is still under way. Those older
	// than the horizon no longer count.
	Early []Instant `json:",omitzero"`
}

// maxEarly bounds what a storm of duplicates can make a record remember.
const maxEarly = 8

func (p *pair) isZero() bool { return p.Since == 0 && len(p.Early) == 0 }

// forget drops the early halves whose late halves can no longer come.
func (p *pair) forget(e *Evidence) {
	n := 0
	for n < len(p.Early) && !e.within(p.Early[n]) {
		n++
	}
	p.drop(n)
}

// drop removes the n oldest early halves.
func (p *pair) drop(n int) {
	if p.Early = p.Early[n:]; len(p.Early) == 0 {
		p.Early = nil
	}
}

func (p *pair) remember(at Instant) {
	early := p.Early
	if len(early) == maxEarly {
		early = early[1:]
	}
	p.Early = append(slices.Clip(early), at)
}

// within reports whether an earlier arrival lies within the horizon of this one.
// A clock that went back counts as within: what is not known is not certain.
func (e *Evidence) within(earlier Instant) bool {
	return earlier != 0 && e.At.Sub(earlier) <= e.horizon()
}

// course is a state with its two pairs. A record follows one; while
// IntegrationCreated has not come, it follows two more: one as if Created had
// said enabled, the other as if it had said disabled. Whichever Created comes
// then picks its course, and so commutes with all that came before it.
type course struct {
	State    State `json:",omitzero"`
	Enabled  pair  `json:",omitzero"`
	Canceled pair  `json:",omitzero"`
}

// course returns the course that the record follows.
func (r *Record) course() course { return course{r.State, r.Enabled, r.Canceled} }

// follow makes a course the record's, and ends those that were parked.
func (r *Record) follow(c course) {
	r.State, r.Enabled, r.Canceled, r.Parked = c.State, c.Enabled, c.Canceled, nil
}

// deliver takes in one of the four actions of the two pairs, in a state that
// is neither Unseen nor Deleted.
func (c *course) deliver(e *Evidence) Outcome {
	column, _ := columnOf(e.Action, false)
	cell := next(c.State, column)
	pair := &c.Enabled
	if e.Action == IntegrationCanceled || e.Action == IntegrationReinstated {
		pair = &c.Canceled
	}
	pair.forget(e)
	switch {
	case cell.rule != transition:
		pair.remember(e.At)
		if cell.rule == park {
			return Parked
		}
		return Duplicate
	case len(pair.Early) > 0:
		pair.drop(1)
		return Reconciled
	}
	c.State = cell.to
	pair.Since = e.At
	return Applied
}

// settle makes the course what a token says that worked when the request began.
func (c *course) settle(e *Evidence) {
	live := c.State.proven()
	if live.enabled() != c.State.enabled() {
		c.Enabled = pair{Since: e.At}
	}
	if c.State.canceled() {
		c.Canceled = pair{Since: e.At}
	}
	c.State = live
}
