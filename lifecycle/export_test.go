package lifecycle

import (
	"time"

	"github.com/looplab/fsm"
)

// This file shows the tests what the package keeps to itself: the machine and
// its table, what a state says of the flags, and the causes by name.

type (
	Column = column
	Rule   = rule
)

const (
	Transition = transition
	Repeat     = repeat
	Park       = park
	Compare    = compare
	NewKey     = newKey
	After      = after
)

// Cell is a cell of the table with fields that tests can read.
type Cell struct {
	Rule Rule
	To   State
}

func Columns() []Column { return columns() }

func ColumnOf(a Action, isEnabled bool) (Column, bool) { return columnOf(a, isEnabled) }

// Action returns the column's action.
func (c column) Action() Action {
	for _, a := range Actions() {
		for _, isEnabled := range []bool{false, true} {
			if of, known := columnOf(a, isEnabled); known && of == c {
				return a
			}
		}
	}
	return ActionUnknown
}

func Next(s State, c Column) Cell {
	cell := next(s, c)
	return Cell{cell.rule, cell.to}
}

// Machine returns the declared machine as looplab/fsm runs it, in a state.
func Machine(s State) *fsm.FSM { return fsm.NewFSM(s.String(), events(), nil) }

func (s State) Enabled() bool  { return s.enabled() }
func (s State) Canceled() bool { return s.canceled() }
func (s State) Live() bool     { return s.live() }

// Add returns the instant that lies d later.
func (i Instant) Add(d time.Duration) Instant { return i.add(d) }

func (f Flag) String() string { return nameOf(flagNames[:], f) }

func (d Digest) IsZero() bool { return d.isZero() }

func ParseAction(name string) Action {
	for a := range numActions {
		if actionNames[a] == name {
			return a
		}
	}
	return ActionUnknown
}

func ParseState(name string) (State, bool) { return parseState(name) }

const (
	MaxKeys             = maxKeys
	MaxSealed           = maxSealed
	KindUnknown Kind    = 0
	Undecided   Outcome = 0
)

var ErrSecret = errSecret

const (
	NoCause                   = noCause
	CauseEnterprise           = causeEnterprise
	CauseCreatedUtc           = causeCreatedUtc
	CauseDeletedUtc           = causeDeletedUtc
	CauseDeletedBeforeCreated = causeDeletedBeforeCreated
	CauseSecondToken          = causeSecondToken
	CauseOwned                = causeOwned
	CauseContested            = causeContested
	CauseTooManyKeys          = causeTooManyKeys
	CauseRotatedBefore        = causeRotatedBefore
	CauseRival                = causeRival
	CauseSwapped              = causeSwapped
	CauseDeletedAccepted      = causeDeletedAccepted
	CauseUnknownToken         = causeUnknownToken
	CauseReopened             = causeReopened
	CauseIntegration          = causeIntegration
	CauseYielded              = causeYielded
	CauseTooManyLabels        = causeTooManyLabels
	CauseNamed                = causeNamed
)

// Pair is what is known of two opposite actions.
type Pair = pair
