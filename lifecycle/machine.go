package lifecycle

import (
	"fmt"

	"github.com/looplab/fsm"
)

// column is one column of the machine's table: an action, with the two values
// of IntegrationCreated's IsEnabled told apart.
type column uint8

const (
	colCreatedOn column = iota
	colCreatedOff
	colEnabled
	colDisabled
	colCanceled
	colReinstated
	colDeleted
	colApiKeyCreated
	numColumns
)

// columnNames are the names of the machine's events: Mews's spelling, followed by
// the guard if one action has two columns.
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

// columns returns all columns in the table's order.
func columns() []column {
	all := make([]column, numColumns)
	for i := range all {
		all[i] = column(i)
	}
	return all
}

// String returns the name of the column's event in looplab/fsm's terms.
func (c column) String() string { return nameOf(columnNames[:], c) }

// columnOf returns the column of a known action; isEnabled matters to
// IntegrationCreated alone.
func columnOf(a Action, isEnabled bool) (c column, known bool) {
	switch a {
	case IntegrationCreated:
		if isEnabled {
			return colCreatedOn, true
		}
		return colCreatedOff, true
	case IntegrationEnabled:
		return colEnabled, true
	case IntegrationDisabled:
		return colDisabled, true
	case IntegrationCanceled:
		return colCanceled, true
	case IntegrationReinstated:
		return colReinstated, true
	case IntegrationDeleted:
		return colDeleted, true
	case IntegrationApiKeyCreated:
		return colApiKeyCreated, true
	}
	return 0, false
}

// rule is what a delivery does in a state. The zero value is no rule.
type rule uint8

const (
	_ rule = iota
	// transition: the state becomes the cell's.
	transition
	// repeat: the state already is what the delivery says.
	repeat
	// park: an earlier event is missing.
	park
	// compare: a second IntegrationCreated, which repeats the first or contradicts it.
	compare
	// newKey: a token; the state does not change.
	newKey
	// after: nothing leaves Deleted.
	after
)

// cell is one cell of the table: what a delivery does in a state.
type cell struct {
	rule rule
	to   State // the state afterwards; for all rules but transition the state before
}

// events declares the machine: every transition, once. The table that next reads
// is compiled from it, and so are the drawings.
func events() fsm.Events {
	one := func(c column, from, to State) fsm.EventDesc {
		return fsm.EventDesc{Name: c.String(), Src: []string{from.String()}, Dst: to.String()}
	}
	all := func(c column, to State) fsm.EventDesc {
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

var table = compile(events())

// Next returns the table's cell for a delivery in a state. Both must be of
// those that this package declares. It is total, and does not allocate.
func next(s State, c column) cell { return table[s][c] }

// compile makes the table from the declared events. It panics on mistakes that
// looplab/fsm accepts silently: an undeclared state or column, a transition with two
// ends, a transition to its own beginning.
func compile(events fsm.Events) (t [numStates][numColumns]cell) {
	byName := make(map[string]column, numColumns)
	for c, name := range columnNames {
		byName[name] = column(c)
	}
	for _, e := range events {
		c, known := byName[e.Name]
		to, named := parseState(e.Dst)
		if !known || !named {
			panic(fmt.Sprintf("lifecycle: %q to %q is not declared", e.Name, e.Dst))
		}
		for _, src := range e.Src {
			from, named := parseState(src)
			if !named || from == to || t[from][c].rule != 0 {
				panic(fmt.Sprintf("lifecycle: %q from %q is undeclared, contradictory or a loop", e.Name, src))
			}
			t[from][c] = cell{transition, to}
		}
	}
	for s := range numStates {
		for c := range numColumns {
			if t[s][c].rule == 0 {
				t[s][c] = cell{refusal(s, c), s}
			}
		}
	}
	return t
}

// refusal is the rule of a cell that is not a transition.
func refusal(s State, c column) rule {
	switch {
	case s == Deleted && c == colDeleted:
		return repeat
	case s == Deleted:
		return after
	case s == Unseen:
		return park
	case c == colCreatedOn || c == colCreatedOff:
		return compare
	case c == colApiKeyCreated:
		return newKey
	case c == colReinstated && s != ReinstatedEnabled && s != ReinstatedDisabled:
		return park // never preceded by a cancellation
	}
	return repeat
}
