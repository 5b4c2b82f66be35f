package lifecycle_test

import (
	"encoding"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// enum is what every enum of the package can do.
type enum[E any] interface {
	*E
	encoding.TextUnmarshaler
}

// testNames tells the names that an enum's values must have, in their order, and
// holds that they are all: unique, and read back as what was written.
func testNames[E interface {
	~uint8
	fmt.Stringer
	encoding.TextMarshaler
}, P enum[E]](t *testing.T, what string, want string) {
	names := strings.Split(want, ",")
	for i, name := range names {
		e := E(i)
		text, err := e.MarshalText()
		var back E
		if err != nil || string(text) != name || e.String() != name {
			t.Errorf("%s %d: %q and %q, %v; want %q", what, i, e.String(), text, err, name)
		}
		if err := P(&back).UnmarshalText(text); err != nil || back != e {
			t.Errorf("%s %q is read back as %v, %v", what, text, back, err)
		}
		if slices.Index(names, name) != i {
			t.Errorf("%s: %q is the name of two", what, name)
		}
	}
	for _, e := range []E{E(len(names)), 255} {
		var back E
		text, _ := e.MarshalText()
		if slices.Contains(names, string(text)) {
			t.Errorf("%s %d is called %q", what, uint8(e), text)
		}
		if err := P(&back).UnmarshalText(text); !errors.Is(err, ErrNewer) || back != 0 {
			t.Errorf("%s %q is read as %v, %v", what, text, back, err)
		}
	}
	err := P(new(E)).UnmarshalText([]byte(canary))
	if !errors.Is(err, ErrNewer) || leaks(err.Error()) {
		t.Errorf("%s: a foreign name: %v", what, err)
	}
}

func TestNames(t *testing.T) {
	testNames[State](t, "state", "unseen,created_enabled,created_disabled,enabled,disabled,canceled_enabled,"+
		"canceled_disabled,reinstated_enabled,reinstated_disabled,deleted")
	testNames[Action](t, "action", "unknown,IntegrationCreated,IntegrationEnabled,IntegrationDisabled,"+
		"IntegrationCanceled,IntegrationReinstated,IntegrationDeleted,IntegrationApiKeyCreated")
	testNames[Kind](t, "kind", "unknown,delivery,probe,report,import,contest,erase,forget,restore,probe_request,issue,upgrade,join,settle,control,label,name,time,fork,succeeded")
	testNames[Answer](t, "answer", "none,accepted,rejected,unattributed,rejected_once,expected,withdrawn")
	testNames[Outcome](t, "outcome", "undecided,applied,duplicate,parked,reconciled,stale,conflict,fenced,unrecognized")
	testNames[Status](t, "status", "unknown,valid,invalid")
	testNames[Reason](t, "reason", "unfamiliar,live,deleted,superseded,canceled,disabled,rejected,disputed,"+
		"deleted_but_accepted,unseen,suspect_key,suspect_canceled,suspect_enabled,doubted,unattributed,lease_expired,unavailable,rejected_once,unproved,superseded_unproved,nameless,forked")
}

func TestParsedNames(t *testing.T) {
	for i, s := range States() {
		if got, ok := ParseState(s.String()); got != s || !ok || State(i) != s {
			t.Errorf("state %d, %v, is parsed as %v, %v", i, s, got, ok)
		}
	}
	for i, a := range Actions() {
		if got := ParseAction(a.String()); got != a || Action(i+1) != a {
			t.Errorf("action %d, %v, is parsed as %v", i+1, a, got)
		}
	}
	for _, name := range []string{"", "unknown", "integrationcreated", "IntegrationCreated ", "IntegrationPaused", "Deleted"} {
		if got := ParseAction(name); got != ActionUnknown {
			t.Errorf("%q is parsed as %v", name, got)
		}
		if got, ok := ParseState(name); got != Unseen || ok {
			t.Errorf("%q is parsed as %v, %v", name, got, ok)
		}
	}
}

// TestStates tells of each state what its flags are.
func TestStates(t *testing.T) {
	for state, want := range map[State][3]bool{ // enabled, canceled, live
		Unseen:             {false, false, false},
		CreatedEnabled:     {true, false, true},
		CreatedDisabled:    {false, false, false},
		Enabled:            {true, false, true},
		Disabled:           {false, false, false},
		CanceledEnabled:    {true, true, false},
		CanceledDisabled:   {false, true, false},
		ReinstatedEnabled:  {true, false, true},
		ReinstatedDisabled: {false, false, false},
		Deleted:            {false, false, false},
	} {
		if got := [3]bool{state.Enabled(), state.Canceled(), state.Live()}; got != want {
			t.Errorf("%v: enabled, canceled, live: %v", state, got)
		}
	}
}
