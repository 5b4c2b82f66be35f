package lifecycle_test

import (
	"slices"

	. "github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/lifecycle/internal/belief"
)

// modelPair is one of the two flags.
type modelPair struct {
	waiting []Instant // copies, or early halves
}

// modelCourse is a state with its two flags.
type modelCourse struct {
	state             State
	enabled, canceled modelPair
}

func (m *model) toggle(c *modelCourse, e Evidence) Outcome {
	pair := &c.enabled
	if e.Action == IntegrationCanceled || e.Action == IntegrationReinstated {
		pair = &c.canceled
	}
	pair.waiting = slices.DeleteFunc(pair.waiting, func(at Instant) bool { return e.At.Sub(at) > horizon })
	column, _ := ColumnOf(e.Action, false)
	cell := m.table[c.state][column]
	switch {
	case !cell.moves:
		if pair.waiting = append(pair.waiting, e.At); len(pair.waiting) > 8 {
			pair.waiting = pair.waiting[1:] // a storm
		}
		return map[string]Outcome{"dup": Duplicate, "park": Parked}[cell.text]
	case len(pair.waiting) > 0:
		pair.waiting = pair.waiting[1:]
		return Reconciled
	}
	c.state = cell.to
	return Applied
}

// works takes in that a token worked.
func (c *modelCourse) works() {
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
}

// say takes in what a person says of the flags.
func (c *modelCourse) say(e Evidence) {
	enabled, canceled := c.state.Enabled(), c.state.Canceled()
	if e.IsEnabled != Unset {
		enabled, c.enabled.waiting = e.IsEnabled == Yes, nil
	}
	if e.IsCanceled != Unset {
		canceled, c.canceled.waiting = e.IsCanceled == Yes, nil
	}
	if enabled == c.state.Enabled() && canceled == c.state.Canceled() {
		return
	}
	states := map[bool]State{true: Enabled, false: Disabled}
	switch {
	case canceled:
		states = map[bool]State{true: CanceledEnabled, false: CanceledDisabled}
	case c.state.Canceled(), c.state == ReinstatedEnabled, c.state == ReinstatedDisabled:
		states = map[bool]State{true: ReinstatedEnabled, false: ReinstatedDisabled}
	}
	c.state = states[enabled]
}

// stated is what a person leaves possible.
func stated(possible belief.Presents, e Evidence) (p belief.Presents) {
	kinds := map[[2]bool]belief.Presents{
		{false, false}: belief.Off, {true, false}: belief.Live, {false, true}: belief.CanceledDisabled, {true, true}: belief.CanceledEnabled,
	}
	for flags, one := range kinds {
		for was, before := range kinds {
			told := e.IsEnabled == FlagOf(flags[0]) || e.IsEnabled == Unset && flags[0] == was[0]
			told = told && (e.IsCanceled == FlagOf(flags[1]) || e.IsCanceled == Unset && flags[1] == was[1])
			if told && possible&before != 0 {
				p |= one
			}
		}
	}
	return p
}

// believes tells package belief, which is judged by brute force in its own tests, all
// that was heard, from the beginning.
func (m *model) believes() (s belief.State, a belief.Answers) {
	const span = int64(horizon / 1000)
	for i, e := range m.heard {
		at := int64(e.At)
		switch {
		case e.Kind == KindImport:
			births := map[Flag]belief.Births{No: belief.BornDisabled, Yes: belief.BornEnabled, Unset: belief.BornEnabled}[e.IsEnabled]
			s, a = s.Begun(births, at, span)
			state := m.begin(map[Flag]State{No: CreatedDisabled, Yes: CreatedEnabled, Unset: CreatedEnabled}[e.IsEnabled]).state
			if i > 0 && state.Enabled() != (e.IsEnabled != No) {
				s, a = s.Doubted(at, span)
			}
		case e.Kind == KindSettle:
			every := belief.Live | belief.Off | belief.CanceledEnabled | belief.CanceledDisabled
			possible := belief.Presents(0)
			for _, level := range a {
				for _, reinstating := range level {
					possible |= reinstating[0] | reinstating[1]
				}
			}
			if possible == 0 {
				possible = every
				if i == 0 && e.IsCanceled == Unset {
					possible = belief.Live | belief.Off
				}
			}
			said := stated(possible, e)
			s, a = belief.Known(true, said, said, at, at)
		case e.Kind != KindDelivery:
			s, a = s.Worked(int64(e.Began), span)
		case e.Action == IntegrationCreated:
			births := map[Flag]belief.Births{No: belief.BornDisabled, Yes: belief.BornEnabled, Unset: belief.BornEither}[e.IsEnabled]
			s, a = s.Created(births, at, span)
		default:
			s, a = s.Arrived(map[Action]belief.Event{
				IntegrationEnabled: belief.Enabled, IntegrationDisabled: belief.Disabled,
				IntegrationCanceled: belief.Canceled, IntegrationReinstated: belief.Reinstated,
			}[e.Action], at, span)
		}
	}
	return s, a
}
