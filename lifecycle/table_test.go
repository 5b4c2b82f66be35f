package lifecycle_test

import (
	"os"
	"strings"
	"testing"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// cell is one cell of testdata/table.md.
type cell struct {
	text  string
	to    State // the state itself where there is no transition
	moves bool
	doubt bool // leaves the enabled flag in doubt
}

// readTable reads testdata/table.md.
func readTable(t testing.TB) map[State]map[Column]cell {
	t.Helper()
	page, err := os.ReadFile("testdata/table.md")
	if err != nil {
		t.Fatal(err)
	}
	table := make(map[State]map[Column]cell)
	for line := range strings.Lines(string(page)) {
		fields := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		state, ok := ParseState(strings.TrimSpace(fields[0]))
		if len(fields) != 1+len(Columns()) || !ok {
			continue // the text, and the head
		}
		table[state] = make(map[Column]cell)
		for i, column := range Columns() {
			c := cell{text: strings.TrimSpace(fields[1+i]), to: state}
			if name, moves := strings.CutPrefix(c.text, "→ "); moves {
				c.moves = true
				name, c.doubt = strings.CutSuffix(name, " ?")
				if c.to, ok = ParseState(name); !ok {
					t.Fatalf("%q is not a state", name)
				}
			}
			table[state][column] = c
		}
	}
	if len(table) != len(States()) {
		t.Fatalf("the table has %d states, not %d", len(table), len(States()))
	}
	return table
}

// rules are what the words of the table mean.
var rules = map[string]Rule{"dup": Repeat, "park": Park, "key": NewKey, "stale": After, "dup or conflict": Compare}

func TestNextIsTheTable(t *testing.T) {
	for state, row := range readTable(t) {
		for column, c := range row {
			want := Cell{rules[c.text], c.to}
			switch {
			case c.moves:
				want.Rule = Transition
			case state == Deleted && column.Action() == IntegrationDeleted:
				want.Rule = Repeat
			}
			if got := Next(state, column); got != want {
				t.Errorf("%v × %v: %+v, the table has %q", state, column, got, c.text)
			}
		}
	}
}

// roads lead to each state.
var roads = map[State][]Action{
	Unseen:             nil,
	CreatedEnabled:     {IntegrationCreated},
	CreatedDisabled:    {IntegrationCreated},
	Enabled:            {IntegrationCreated, IntegrationDisabled, IntegrationEnabled},
	Disabled:           {IntegrationCreated, IntegrationDisabled},
	CanceledEnabled:    {IntegrationCreated, IntegrationCanceled},
	CanceledDisabled:   {IntegrationCreated, IntegrationCanceled, IntegrationDisabled},
	ReinstatedEnabled:  {IntegrationCreated, IntegrationCanceled, IntegrationReinstated, IntegrationEnabled},
	ReinstatedDisabled: {IntegrationCreated, IntegrationCanceled, IntegrationReinstated, IntegrationDisabled},
	Deleted:            {IntegrationCreated, IntegrationDeleted},
}

// arrive brings a record into a state, with an hour between one delivery and
// the next, and returns when the next one may come.
func arrive(t *testing.T, state State) (Record, Instant) {
	t.Helper()
	r, hours := Record{ID: integration}, 0
	for _, action := range roads[state] {
		r, _ = r.Apply(plain(action, FlagOf(state != CreatedDisabled), minute(60*hours)))
		hours++
	}
	if r.State != state {
		t.Fatalf("the road to %v ends in %v", state, r.State)
	}
	return r, minute(60 * hours)
}

// plain is a delivery of each action as it can come in any state.
func plain(a Action, isEnabled Flag, at Instant) Evidence {
	switch a {
	case IntegrationCreated:
		return created(isEnabled, token(0), at)
	case IntegrationApiKeyCreated:
		return rotated(token(1), at)
	}
	return delivery(a, at)
}

func TestApplyIsTheTable(t *testing.T) {
	outcomes := map[string]Outcome{
		"dup": Duplicate, "dup or conflict": Duplicate, "park": Parked, "key": Applied, "stale": Stale,
	}
	for state, row := range readTable(t) {
		for column, c := range row {
			r, now := arrive(t, state)
			next, d := r.Apply(plain(column.Action(), FlagOf(column == Columns()[0]), now))
			want := Decision{Outcome: outcomes[c.text], From: state, To: c.to, Action: column.Action()}
			if c.moves {
				want.Outcome = Applied
			}
			if d != want {
				t.Errorf("%v × %v: %+v, the table has %q", state, column, d, c.text)
			}
			if next.State != c.to || next.Version != r.Version+1 || next.Generation != r.Generation+1 {
				t.Errorf("%v × %v: %v, version %d, generation %d", state, column, next.State, next.Version, next.Generation)
			}
			if v := verdict(&next, token(0), now); c.doubt && v.Reason != ReasonSuspectEnabled {
				t.Errorf("%v × %v leaves the flag certain: %v", state, column, v.Reason)
			}
			if c.text == "key" && (len(next.Keys) != 2 || next.Keys[0].Status != Superseded || next.Keys[1].Status != Current) {
				t.Errorf("%v × %v: keys %v", state, column, next.Keys)
			}
		}
	}
}
