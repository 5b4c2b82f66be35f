package lifecycle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// TestConflicts: what contradicts a record changes nothing in it, in any state.
func TestConflicts(t *testing.T) {
	day := func(n int) Instant { return minute(-60 * 24 * n) }
	contradictions := map[string]struct {
		e     Evidence
		cause string
	}{
		"another enterprise": {Evidence{Action: IntegrationCreated, Enterprise: Named{ID: "another"}, Token: token(0)}, CauseEnterprise},
		"another CreatedUtc": {Evidence{Action: IntegrationCreated, CreatedUtc: day(1), Token: token(0)}, CauseCreatedUtc},
		"an owned token":     {Evidence{Action: IntegrationCreated, Token: token(9), Owner: "another"}, CauseOwned},
		"an owned key":       {Evidence{Action: IntegrationApiKeyCreated, Token: token(9), Owner: "another"}, CauseOwned},
		"another's delivery": {Evidence{Action: IntegrationDeleted, Integration: Named{ID: "another"}}, CauseIntegration},
		"another's answer":   {Evidence{Kind: KindProbe, Answer: Accepted, Token: token(0), Integration: Named{ID: "another"}}, CauseIntegration},
		"an unknown token":   {Evidence{Kind: KindProbe, Answer: Accepted, Token: token(9)}, CauseUnknownToken},
		"an owned import":    {Evidence{Kind: KindImport, Token: token(9), Owner: "another"}, CauseOwned},
	}
	for _, state := range States()[1:] {
		r, now := arrive(t, state)
		r.CreatedUtc = day(2)
		for name, c := range contradictions {
			e := c.e
			e.At, e.Began, e.Generation, e.Horizon = now, now, r.Generation, horizon
			if e.Kind == KindUnknown {
				e.Kind = KindDelivery
			}
			next, d := r.Apply(e)
			if d.Outcome != Conflict || d.Cause != c.cause || !d.Alarm {
				t.Errorf("%v: %s: %+v", state, name, d)
			}
			next.Version, next.Generation, next.Arrived = r.Version, r.Generation, r.Arrived
			if diff := cmp.Diff(r, next); diff != "" {
				t.Errorf("%v: %s (-before +after):\n%s", state, name, diff)
			}
		}
	}
}

// TestContradictingDeletions: Deleted absorbs, even with a time that cannot be
// true; that is left out, and reported.
func TestContradictingDeletions(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	birth.CreatedUtc = minute(-10)
	deletion := func(utc Instant) Evidence {
		e := delivery(IntegrationDeleted, minute(100))
		e.DeletedUtc = utc
		return e
	}
	r, d := fold(birth).Apply(deletion(minute(-11)))
	if d.Outcome != Applied || d.Cause != CauseDeletedBeforeCreated || !d.Alarm || r.State != Deleted || r.DeletedUtc != 0 {
		t.Errorf("an impossible DeletedUtc: %+v, %v", d, r.DeletedUtc)
	}
	if v := verdict(&r, token(0), minute(101)); v.Status != Invalid || v.Reason != ReasonDeleted {
		t.Errorf("after it: %+v", v)
	}
	for i, step := range []struct {
		utc     Instant
		outcome Outcome
		cause   string
		known   Instant
	}{
		{0, Duplicate, NoCause, 0},
		{minute(-11), Conflict, CauseDeletedBeforeCreated, 0},
		{minute(90), Duplicate, NoCause, minute(90)},
		{minute(90), Duplicate, NoCause, minute(90)},
		{minute(91), Conflict, CauseDeletedUtc, minute(90)},
	} {
		r, d = r.Apply(deletion(step.utc))
		if d.Outcome != step.outcome || d.Cause != step.cause || d.Alarm != (step.outcome == Conflict) || r.DeletedUtc != step.known {
			t.Errorf("step %d: %+v, DeletedUtc %v", i, d, r.DeletedUtc)
		}
	}
	late := birth
	late.CreatedUtc = minute(95)
	early, d := fold(deletion(minute(90))).Apply(late)
	if d.Outcome != Conflict || d.Cause != CauseDeletedBeforeCreated || early.Created {
		t.Errorf("created after its deletion: %+v", d)
	}
}
