package lifecycle_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/looplab/fsm"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// TestMachineIsTheTable walks all sequences of the columns up to length 7,
// 2,396,744 of them, as a tree: one machine of looplab/fsm beside the table.
func TestMachineIsTheTable(t *testing.T) {
	depth := 7
	if testing.Short() || testkit.Race {
		depth = 5
	}
	machine := Machine(Unseen)
	columns := Columns()
	sequences := 0
	var walk func(s State, depth int)
	walk = func(s State, depth int) {
		if depth == 0 {
			return
		}
		for _, c := range columns {
			sequences++
			machine.SetState(s.String())
			err := machine.Event(context.Background(), c.String())
			cell := Next(s, c)
			if machine.Current() != cell.To.String() || (err == nil) != (cell.Rule == Transition) || !refused(err, c) {
				t.Fatalf("%v × %v: the machine is in %s with %v, the table has %+v", s, c, machine.Current(), err, cell)
			}
			walk(cell.To, depth-1)
		}
	}
	walk(Unseen, depth)
	want := 0
	for n, power := 0, len(columns); n < depth; n, power = n+1, len(columns)*power {
		want += power
	}
	if sequences != want {
		t.Errorf("%d sequences, not %d", sequences, want)
	}
}

// refused reports whether an error is nil or one of the ways in which the machine
// refuses an event. A column that moves no state, such as a token's, is not an event.
func refused(err error, c Column) bool {
	_, invalid := errors.AsType[fsm.InvalidEventError](err)
	_, unknown := errors.AsType[fsm.UnknownEventError](err)
	return err == nil || invalid || unknown && !moves(c)
}

// moves reports whether a column has a transition.
func moves(c Column) bool {
	return slices.ContainsFunc(States(), func(s State) bool { return Next(s, c).Rule == Transition })
}

func TestColumns(t *testing.T) {
	seen := make(map[Column]bool)
	for _, a := range Actions() {
		for _, isEnabled := range []bool{false, true} {
			c, ok := ColumnOf(a, isEnabled)
			if !ok || c.Action() != a {
				t.Errorf("ColumnOf(%v, %v) = %v of %v, %v", a, isEnabled, c, c.Action(), ok)
			}
			seen[c] = true
		}
	}
	if len(seen) != len(Columns()) {
		t.Errorf("%d of %d columns belong to an action", len(seen), len(Columns()))
	}
	for _, a := range []Action{ActionUnknown, Action(len(Actions()) + 1), 255} {
		if c, ok := ColumnOf(a, true); ok {
			t.Errorf("ColumnOf(%v) = %v", a, c)
		}
	}
}
