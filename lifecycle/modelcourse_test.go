package lifecycle_test

import (
	"slices"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// modelPair is one of the two flags.
type modelPair struct {
	suspect bool
	said    []saying
	waiting []Instant // copies, or early halves
}

// saying is that a flag was said to be so.
type saying struct {
	on    bool
	at    Instant
	first bool // it alone changed what was certain
}

// within tells whether anything that matches was said within the horizon before.
func (p *modelPair) within(at Instant, matches func(saying) bool) bool {
	return slices.ContainsFunc(p.said, func(s saying) bool { return matches(s) && at.Sub(s.at) <= horizon })
}

func anything(saying) bool { return true }

// modelCourse is a state with its two flags.
type modelCourse struct {
	state             State
	enabled, canceled modelPair
}

func (m *model) toggle(c *modelCourse, e Evidence) Outcome {
	pair, on := &c.enabled, e.Action == IntegrationEnabled
	if e.Action == IntegrationCanceled || e.Action == IntegrationReinstated {
		pair, on = &c.canceled, e.Action == IntegrationCanceled
	}
	alone := !pair.within(e.At, anything)
	if pair == &c.enabled && c.canceled.within(e.At, func(s saying) bool { return !s.on }) {
		alone = false // a reinstatement may have touched it
	}
	reordered := len(pair.said) == 0 || !pair.said[len(pair.said)-1].first
	pair.waiting = slices.DeleteFunc(pair.waiting, func(at Instant) bool { return e.At.Sub(at) > horizon })

	column, _ := ColumnOf(e.Action, false)
	cell := m.table[c.state][column]
	said := saying{on: on, at: e.At}
	outcome := Applied
	switch {
	case !cell.moves:
		outcome = map[string]Outcome{"dup": Duplicate, "park": Parked}[cell.text]
		if pair.waiting = append(pair.waiting, e.At); len(pair.waiting) > 8 {
			pair.waiting = pair.waiting[1:] // a storm
		}
		if alone {
			pair.suspect = false
		}
		if e.Action == IntegrationReinstated && !pair.within(e.At, func(s saying) bool { return !s.on }) {
			c.enabled.suspect = true
		}
	case len(pair.waiting) > 0:
		outcome = Reconciled
		pair.waiting = pair.waiting[1:]
		pair.suspect = true
		if pair == &c.canceled {
			c.enabled.suspect = true
		}
	default:
		c.state = cell.to
		said.first = alone && !pair.suspect
		if alone {
			pair.suspect = false
		}
		if pair.within(e.At, func(s saying) bool { return s.on != on }) && reordered {
			pair.suspect = true
		}
		if e.Action == IntegrationReinstated {
			c.enabled.suspect = true
		}
	}
	pair.said = append(pair.said, said)
	return outcome
}

// works takes in that a token worked.
func (c *modelCourse) works(e Evidence) {
	if !c.state.Enabled() {
		c.enabled.waiting = nil
	}
	if c.state.Canceled() {
		c.canceled.waiting = nil
	}
	switch c.state {
	case Unseen, Disabled, CreatedDisabled:
		c.state = Enabled
	case CanceledEnabled, CanceledDisabled, ReinstatedDisabled:
		c.state = ReinstatedEnabled
	}
	c.enabled.suspect, c.canceled.suspect = false, false
	c.enabled.said = append(c.enabled.said, saying{on: true, at: e.Began})
	c.canceled.said = append(c.canceled.said, saying{on: false, at: e.Began})
}
