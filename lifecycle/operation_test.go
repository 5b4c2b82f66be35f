package lifecycle_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// called is an answer to a call of an operation, given at once.
func called(operation string, answer Answer, at Instant) Evidence {
	e := own(token(0), answer, at, at)
	e.Operation = operation
	return e
}

// TestOperations: a 401 of an operation is explained by a missing permission where the
// token worked afterwards and nothing else came between.
func TestOperations(t *testing.T) {
	asked := func(answer Answer) func(*Record, Instant) Evidence {
		return func(r *Record, at Instant) Evidence { return probe(r, token(0), answer, at) }
	}
	calls := func(operation string, answer Answer) func(*Record, Instant) Evidence {
		return func(_ *Record, at Instant) Evidence { return called(operation, answer, at) }
	}
	comes := func(a Action) func(*Record, Instant) Evidence {
		return func(_ *Record, at Instant) Evidence { return delivery(a, at) }
	}
	for name, c := range map[string]struct {
		story []func(*Record, Instant) Evidence
		lacks bool
	}{
		"a 401 alone":                       {story: []func(*Record, Instant) Evidence{calls("x", Unattributed)}},
		"then a probe's 200":                {[]func(*Record, Instant) Evidence{calls("x", Unattributed), asked(Accepted)}, true},
		"then a 200 of another operation":   {[]func(*Record, Instant) Evidence{calls("x", Unattributed), calls("y", Accepted)}, true},
		"then its own 200":                  {story: []func(*Record, Instant) Evidence{calls("x", Unattributed), calls("x", Accepted), asked(Accepted)}},
		"lacking, then its own 200":         {story: []func(*Record, Instant) Evidence{calls("x", Unattributed), asked(Accepted), calls("x", Accepted)}},
		"lacking, then its own 401":         {[]func(*Record, Instant) Evidence{calls("x", Unattributed), asked(Accepted), calls("x", Unattributed)}, true},
		"then a probe's 401":                {story: []func(*Record, Instant) Evidence{calls("x", Unattributed), asked(Unattributed), asked(Accepted)}},
		"then a probe's 401 that was known": {story: []func(*Record, Instant) Evidence{calls("x", Unattributed), asked(Expected), asked(Accepted)}},
		"taken back":                        {story: []func(*Record, Instant) Evidence{calls("x", Unattributed), asked(Withdrawn), asked(Accepted)}},
		"a delivery between":                {story: []func(*Record, Instant) Evidence{calls("x", Unattributed), comes(IntegrationEnabled), asked(Accepted)}},
		"another operation's 401":           {story: []func(*Record, Instant) Evidence{calls("y", Unattributed), asked(Accepted)}},
		"deleted since":                     {story: []func(*Record, Instant) Evidence{calls("x", Unattributed), asked(Accepted), comes(IntegrationDeleted)}},
	} {
		r := fold(created(Yes, token(0), minute(0)))
		at := minute(60)
		for _, next := range c.story {
			at = at.Add(time.Minute)
			r = then(r, next(&r, at))
		}
		o, _ := r.Operation("x")
		if o.Lacks(at) != c.lacks {
			t.Errorf("%s: lacks a permission: %v", name, !c.lacks)
		}
		if o.Lacks(at.Add(25 * time.Hour)) {
			t.Errorf("%s: and still does a day later", name)
		}
	}
}

// TestForbiddenCastsNoDoubt: the 401 of an operation that lacks a permission changes
// neither the verdict nor anything else but the count of the evidence.
func TestForbiddenCastsNoDoubt(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)), called("x", Unattributed, minute(60)))
	if v := verdict(&r, token(0), minute(60)); v.Reason != ReasonDoubted {
		t.Errorf("after the first: %v", v.Reason)
	}
	r = then(r, probe(&r, token(0), Accepted, minute(61)))
	next, d := r.Apply(called("x", Unattributed, minute(62)))
	if v := verdict(&next, token(0), minute(62)); v.Status != Valid || d.Outcome != Duplicate {
		t.Errorf("after the second: %v, %+v", v.Reason, d)
	}
	next, d = r.Apply(called("y", Unattributed, minute(62)))
	if v := verdict(&next, token(0), minute(62)); v.Reason != ReasonDoubted || d.Outcome != Applied {
		t.Errorf("of another operation: %v, %+v", v.Reason, d)
	}
	next, _ = r.Apply(called("x", Unattributed, minute(61).Add(25*time.Hour)))
	if v := verdict(&next, token(0), minute(61).Add(25*time.Hour)); v.Reason != ReasonDoubted {
		t.Errorf("a day later: %v", v.Reason)
	}
}

// TestOperationsAreBounded: however many operations there are, a record knows sixteen, and
// those that found no room share a place.
func TestOperationsAreBounded(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	for n := range 100 {
		r = then(r, called(fmt.Sprintf("operation%d", n), Unattributed, minute(60+n)))
		if len(r.Operations) > 16 {
			t.Fatalf("%d operations", len(r.Operations))
		}
	}
	r = then(r, called("", Unattributed, minute(161)))
	if len(r.Operations) != 16 {
		t.Errorf("%d operations, want 16", len(r.Operations))
	}
	r = then(r, probe(&r, token(0), Accepted, minute(162)))
	for _, name := range []string{"operation3", "operation99", "never heard of", ""} {
		if o, known := r.Operation(name); !known || !o.Lacks(minute(163)) {
			t.Errorf("%q: %+v, %v", name, o, known)
		}
	}
	// What shares a place has no 200 of its own: it may be another one that works.
	r = then(r, called("operation99", Accepted, minute(164)))
	if o, _ := r.Operation("operation98"); !o.Lacks(minute(165)) {
		t.Error("a 200 of one operation allowed another")
	}
}
