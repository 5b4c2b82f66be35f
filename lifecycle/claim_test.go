package lifecycle_test

import (
	"testing"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// TestUnprovedEnterpriseYields: a forged IntegrationCreated comes first, with an enterprise
// that is not the integration's. The true one contradicts it, and wins once Mews confirms
// its token.
func TestUnprovedEnterpriseYields(t *testing.T) {
	forged := created(Yes, token(8), minute(0))
	forged.Enterprise = Named{ID: "another"}
	otherTime := created(Yes, token(8), minute(0))
	otherTime.CreatedUtc = minute(-99)
	truly := created(Yes, token(0), minute(1))
	truly.CreatedUtc = minute(-5)
	for name, first := range map[string]Evidence{"another enterprise": forged, "another time": otherTime} {
		r := fold(first)
		r, d := r.Apply(truly)
		if d.Outcome != Conflict || !d.Alarm {
			t.Errorf("%s: %+v", name, d)
		}
		asked := Policy{ProveSince: minute(-1)}
		for n, policy := range map[int]Policy{0: {}, 8: asked} {
			if v := r.Verdict(token(n), &policy, minute(1)); v.Status != Unknown {
				t.Errorf("%s: token %d is %v (%v) before anybody was asked", name, n, v.Status, v.Reason)
			}
		}
		says(t, name+": without a prober the first one stands", r, token(8), minute(1), Valid, ReasonLive, Valid)
		r = then(r, probe(&r, token(8), Unattributed, minute(2)))
		if q, ok := r.Question(minute(2)); !ok || !q.Open || q.Token != token(0) {
			t.Errorf("%s: asks about %v, open %v", name, q.Token, q.Open)
		}
		own := then(r, own(token(0), Accepted, minute(2), minute(2)))
		if k, _ := own.CurrentKey(); k.Digest != token(8) {
			t.Errorf("%s: an own 200 does not say whose a token is", name)
		}
		r, d = r.Apply(probe(&r, token(0), Accepted, minute(3)))
		if d.Cause != CauseYielded || !d.Alarm || r.Enterprise.ID != hotel {
			t.Errorf("%s: %+v, now of %v", name, d, r.Enterprise)
		}
		if v := r.Verdict(token(0), &asked, minute(3)); v.Status != Valid || v.Enterprise != hotel {
			t.Errorf("%s: %v (%v) for %v", name, v.Status, v.Reason, v.Enterprise)
		}
		if v := r.Verdict(token(8), &asked, minute(3)); v.Status == Valid {
			t.Errorf("%s: the forged one is %v", name, v.Status)
		}
	}
}

// TestProvedEnterpriseStays: what Mews has confirmed gives way to nothing.
func TestProvedEnterpriseStays(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	r = then(r, probe(&r, token(0), Accepted, minute(1)))
	forged := created(Yes, token(8), minute(2))
	forged.Enterprise = Named{ID: "another"}
	r, d := r.Apply(forged)
	if _, known := r.Key(token(8)); known || d.Outcome != Conflict {
		t.Errorf("%+v", d)
	}
	// Claimed before, and asked about after the proof.
	r = fold(created(Yes, token(0), minute(0)), forged)
	r = then(r, probe(&r, token(0), Accepted, minute(3)))
	elsewhere := probe(&r, token(8), Accepted, minute(4))
	elsewhere.Enterprise.ID = "another"
	r, d = r.Apply(elsewhere)
	if d.Outcome != Conflict || r.Enterprise.ID != hotel {
		t.Errorf("%+v, now of %v", d, r.Enterprise)
	}
	says(t, "the first", r, token(0), minute(4), Valid, ReasonLive, Valid)
}
