package lifecycle

import (
	"fmt"

	"github.com/looplab/fsm"
)

// Column is one column of the machine's table: an action, with the two values
// of IntegrationCreated's IsEnabled told apart.
type Column uint8

const (
	colCreatedOn Column = iota
	colCreatedOff
	colEnabled
	colDisabled
	colCanceled
	colReinstated
	colDeleted
	colApiKeyCreated
	numColumns
)

// The columns' names are the events' names of the machine: Mews's spelling, and
// behind it the guard where one action has two columns.
var columnNames = [numColumns]string{
	colCreatedOn:     "IntegrationCreated [IsEnabled]",
	colCreatedOff:    "IntegrationCreated [not IsEnabled]",
	colEnabled:       "IntegrationEnabled",
	colDisabled:      "IntegrationDisabled",
	colCanceled:      "IntegrationCanceled",
	colReinstated:    "IntegrationReinstated",
	colDeleted:       "IntegrationDeleted",
	colApiKeyCreated: "IntegrationApiKeyCreated",
}

// Columns returns the eight columns in the table's order.
func Columns() []Column {
	all := make([]Column, numColumns)
	for i := range all {
		all[i] = Column(i)
	}
	return all
}

// String returns the name of the column's event in [Machine].
func (c Column) String() string { return nameOf(columnNames[:], c) }

// Action returns the column's action.
func (c Column) Action() Action {
	switch c {
	case colCreatedOn, colCreatedOff:
		return IntegrationCreated
	}
	return IntegrationEnabled + Action(c-colEnabled)
}

// ColumnOf returns the column of a known action; isEnabled matters to
// IntegrationCreated alone.
func ColumnOf(a Action, isEnabled bool) (Column, bool) {
	if a == ActionUnknown || a >= numActions {
		return 0, false
	}
	if a == IntegrationCreated && isEnabled {
		return colCreatedOn, true
	}
	return colCreatedOff + Column(a-IntegrationCreated), true
}

// Rule is what a cell of the table says of a delivery. The zero value is no rule.
type Rule uint8

const (
	_ Rule = iota
	// Transition: the state becomes the cell's.
	Transition
	// Repeat: the state is what the delivery says already.
	Repeat
	// Park: what should have come before it is missing.
	Park
	// Compare: a second IntegrationCreated, a repetition or a contradiction.
	Compare
	// NewKey: a token; the state is not concerned.
	NewKey
	// After: nothing leaves Deleted.
	After
)

// Cell is one cell of the table: what a delivery does in a state.
type Cell struct {
	Rule Rule
	To   State // the state afterwards; for all rules but Transition the state before
}

// Events declares the machine: every transition there is, once. The table that
// [Next] reads is compiled from it, and so are the drawings.
func Events() fsm.Events {
	one := func(c Column, from, to State) fsm.EventDesc {
		return fsm.EventDesc{Name: c.String(), Src: []string{from.String()}, Dst: to.String()}
	}
	all := func(c Column, to State) fsm.EventDesc {
		e := fsm.EventDesc{Name: c.String(), Dst: to.String()}
		for s := range Deleted {
			e.Src = append(e.Src, s.String())
		}
		return e
	}
	return fsm.Events{
		one(colCreatedOn, Unseen, CreatedEnabled),
		one(colCreatedOff, Unseen, CreatedDisabled),

		one(colEnabled, CreatedDisabled, Enabled),
		one(colEnabled, Disabled, Enabled),
		one(colEnabled, CanceledDisabled, CanceledEnabled),
		one(colEnabled, ReinstatedDisabled, ReinstatedEnabled),

		one(colDisabled, CreatedEnabled, Disabled),
		one(colDisabled, Enabled, Disabled),
		one(colDisabled, CanceledEnabled, CanceledDisabled),
		one(colDisabled, ReinstatedEnabled, ReinstatedDisabled),

		one(colCanceled, CreatedEnabled, CanceledEnabled),
		one(colCanceled, CreatedDisabled, CanceledDisabled),
		one(colCanceled, Enabled, CanceledEnabled),
		one(colCanceled, Disabled, CanceledDisabled),
		one(colCanceled, ReinstatedEnabled, CanceledEnabled),
		one(colCanceled, ReinstatedDisabled, CanceledDisabled),

		one(colReinstated, CanceledEnabled, ReinstatedEnabled),
		one(colReinstated, CanceledDisabled, ReinstatedDisabled),

		all(colDeleted, Deleted),
	}
}

// Machine returns a new machine of Events in the given state, for whoever wants
// to run it with looplab/fsm itself. Deciding does not: it reads the table.
func Machine(s State) *fsm.FSM { return fsm.NewFSM(s.String(), Events(), nil) }

var table = compile(Events())

// Next returns the table's cell for a delivery in a state. Both must be of
// those that this package declares. It is total, and does not allocate.
func Next(s State, c Column) Cell { return table[s][c] }

// compile makes the table of the declared events, and panics on what
// looplab/fsm would take without a word: an undeclared state or column, two
// ends of one transition, a transition to where it begins.
func compile(events fsm.Events) (t [numStates][numColumns]Cell) {
	column := make(map[string]Column, numColumns)
	for c, name := range columnNames {
		column[name] = Column(c)
	}
	for _, e := range events {
		c, known := column[e.Name]
		to, named := ParseState(e.Dst)
		if !known || !named {
			panic(fmt.Sprintf("lifecycle: %q to %q is not declared", e.Name, e.Dst))
		}
		for _, src := range e.Src {
			from, named := ParseState(src)
			if !named || from == to || t[from][c].Rule != 0 {
				panic(fmt.Sprintf("lifecycle: %q from %q is undeclared, contradictory or a loop", e.Name, src))
			}
			t[from][c] = Cell{Transition, to}
		}
	}
	for s := range numStates {
		for c := range numColumns {
			if t[s][c].Rule == 0 {
				t[s][c] = Cell{refusal(s, c), s}
			}
		}
	}
	return t
}

// refusal is the rule of a cell that is not a transition.
func refusal(s State, c Column) Rule {
	switch {
	case s == Deleted && c == colDeleted:
		return Repeat
	case s == Deleted:
		return After
	case s == Unseen:
		return Park
	case c == colCreatedOn || c == colCreatedOff:
		return Compare
	case c == colApiKeyCreated:
		return NewKey
	case c == colReinstated && s != ReinstatedEnabled && s != ReinstatedDisabled:
		return Park // never preceded by a cancellation
	}
	return Repeat
}
