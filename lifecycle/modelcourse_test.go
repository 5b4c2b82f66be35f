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
