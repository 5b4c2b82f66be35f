package lifecycle_test

import (
	"testing"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// TestSettle: a person's word about each flag and token, and what it never does.
func TestSettle(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	at := minute(120)
	word := func(change func(*Evidence)) Evidence {
		e := settled(Unset, Unset, at)
		change(&e)
		return e
	}
	burst := []Evidence{birth, delivery(IntegrationDisabled, minute(60)), delivery(IntegrationEnabled, minute(61)), delivery(IntegrationDisabled, minute(62))}
	canceled := []Evidence{birth, delivery(IntegrationCanceled, minute(60))}
	rivals := []Evidence{birth, rotated(token(1), minute(60)), rotated(token(2), minute(61))}
	orphan := []Evidence{rotated(token(0), minute(60))}
	deletion := []Evidence{birth, delivery(IntegrationDeleted, minute(60))}
	doubted := []Evidence{birth, own(token(0), Unattributed, minute(60), minute(60))}
	later := fold(birth)
	later = then(later, probe(&later, token(0), Accepted, minute(121)))
	for name, c := range map[string]struct {
		before  []Evidence
		word    Evidence
		token   int
		outcome Outcome
		status  Status
		reason  Reason
		state   State
	}{
		"enabled, after a burst":          {burst, settled(Yes, Unset, at), 0, Applied, Valid, ReasonLive, Enabled},
		"disabled, after a burst":         {burst, settled(No, Unset, at), 0, Applied, Invalid, ReasonDisabled, Disabled},
		"disabled, out of the blue":       {[]Evidence{birth}, settled(No, Unset, at), 0, Applied, Invalid, ReasonDisabled, Disabled},
		"canceled, out of the blue":       {[]Evidence{birth}, settled(Unset, Yes, at), 0, Applied, Invalid, ReasonCanceled, CanceledEnabled},
		"no longer canceled, and enabled": {canceled, settled(Yes, No, at), 0, Applied, Valid, ReasonLive, ReinstatedEnabled},
		"no longer canceled, of the flag nothing": {
			canceled, settled(Unset, No, at), 0, Applied, Unknown, ReasonSuspectEnabled, ReinstatedEnabled,
		},
		"one of several tokens":     {rivals, word(func(e *Evidence) { e.Token = token(1) }), 1, Applied, Valid, ReasonLive, CreatedEnabled},
		"and the other":             {rivals, word(func(e *Evidence) { e.Token = token(1) }), 2, Applied, Invalid, ReasonSuperseded, CreatedEnabled},
		"a former token":            {[]Evidence{birth, rotated(token(1), minute(60))}, word(func(e *Evidence) { e.Token = token(0) }), 0, Applied, Valid, ReasonLive, CreatedEnabled},
		"a token that nobody knows": {[]Evidence{birth}, word(func(e *Evidence) { e.Token = token(9) }), 0, Conflict, Valid, ReasonLive, CreatedEnabled},
		"of an orphan":              {orphan, settled(Yes, Unset, at), 0, Applied, Valid, ReasonLive, Enabled},
		"of an orphan, not enough":  {orphan, settled(Unset, No, at), 0, Parked, Unknown, ReasonUnseen, Unseen},
		"deleted stays":             {deletion, settled(Yes, No, at), 0, Stale, Invalid, ReasonDeleted, Deleted},
		"another enterprise": {[]Evidence{birth}, word(func(e *Evidence) {
			e.IsEnabled, e.Enterprise.ID = No, "another"
		}), 0, Conflict, Valid, ReasonLive, CreatedEnabled},
		"the application's doubt ends": {doubted, settled(Yes, Unset, at), 0, Applied, Valid, ReasonLive, CreatedEnabled},
	} {
		r := fold(c.before...)
		next, d := r.Apply(c.word)
		if d.Outcome != c.outcome || next.State != c.state {
			t.Errorf("%s: %+v, %v; want %v, %v", name, d, next.State, c.outcome, c.state)
		}
		if v := verdict(&next, token(c.token), at); v.Status != c.status || v.Reason != c.reason {
			t.Errorf("%s: %v (%v), want %v (%v)", name, v.Status, v.Reason, c.status, c.reason)
		}
	}
	if next, d := later.Apply(settled(No, Unset, at)); d.Outcome != Fenced || verdict(&next, token(0), minute(121)).Status != Valid {
		t.Errorf("overrode a later proof: %+v", d)
	}
}

// TestSettleYieldsToMews: a person's word does not outlive what comes later, does not undo
// a rejection until Mews is asked, and proves nothing.
func TestSettleYieldsToMews(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	generation := r.Generation
	r = then(r, settled(No, Unset, minute(60)))
	if r.Generation == generation {
		t.Error("nobody is asked")
	}
	works := then(r, probe(&r, token(0), Accepted, minute(61)))
	says(t, "a 200 after it", works, token(0), minute(61), Valid, ReasonLive, Valid)
	enabled := then(r, delivery(IntegrationEnabled, minute(200)))
	says(t, "a webhook that comes alone", enabled, token(0), minute(200), Valid, ReasonLive, Valid)
	soon := then(r, delivery(IntegrationEnabled, minute(61)))
	says(t, "a webhook that may be the older", soon, token(0), minute(61), Unknown, ReasonSuspectEnabled, Valid)

	rejected := fold(created(Yes, token(0), minute(0)))
	rejected = then(rejected, probe(&rejected, token(0), Rejected, minute(1)), settled(Yes, Unset, minute(60)))
	says(t, "after a rejection", rejected, token(0), minute(60), Unknown, ReasonDoubted, Valid)

	p := Policy{ProveSince: minute(0)}
	unproved := then(fold(created(Yes, token(0), minute(0))), settled(Yes, No, minute(60)))
	if v := unproved.Verdict(token(0), &p, minute(60)); v.Reason != ReasonUnproved {
		t.Errorf("a person's word proved a token: %v", v.Reason)
	}
}

// TestAnsweredBy: where Mews answers for a chain, a person may confirm that, and then its
// 200 proves the token. The integration's enterprise stays.
func TestAnsweredBy(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	chain := func(r *Record, at Instant) Evidence {
		e := probe(r, token(0), Accepted, at)
		e.Enterprise = Named{ID: "chain", Name: "The whole chain"}
		return e
	}
	disputed, d := r.Apply(chain(&r, minute(1)))
	if d.Outcome != Conflict {
		t.Fatalf("before anybody confirmed it: %+v", d)
	}
	word := settled(Unset, Unset, minute(2))
	word.AnsweredBy = "chain"
	r = then(disputed, word)
	says(t, "confirmed, not asked yet", r, token(0), minute(2), Unknown, ReasonDisputed, Invalid)
	r, d = r.Apply(chain(&r, minute(3)))
	says(t, "asked", r, token(0), minute(3), Valid, ReasonLive, Valid)
	if k, _ := r.Key(token(0)); d.Outcome != Applied || k.Proved == 0 || r.Enterprise.ID != hotel || r.Enterprise.Name != "Sample Chain Hotel 1" {
		t.Errorf("%+v, %+v, %+v", d, k, r.Enterprise)
	}
	other := chain(&r, minute(4))
	other.Enterprise.ID = "a third"
	if _, d := r.Apply(other); d.Outcome != Conflict {
		t.Errorf("another enterprise than the confirmed one: %+v", d)
	}
	if unknown, d := fold(delivery(IntegrationEnabled, minute(0))).Apply(word); d.Outcome != Conflict || unknown.AnsweredBy != "" {
		t.Errorf("for an enterprise that is not known: %+v", d)
	}
}

// TestProvisionalRejection: what the application's own calls alone told counts for two
// hours; then a call must tell, and a person's word ends it.
func TestProvisionalRejection(t *testing.T) {
	r := then(fold(created(Yes, token(0), minute(0))), own(token(0), Unattributed, minute(60), minute(60)), own(token(0), Rejected, minute(60), minute(61)))
	says(t, "rejected", r, token(0), minute(61), Invalid, ReasonRejected, Invalid)
	says(t, "after two hours", r, token(0), minute(180), Unknown, ReasonDoubted, Invalid)
	says(t, "a 200", then(r, own(token(0), Accepted, minute(70), minute(70))), token(0), minute(70), Valid, ReasonLive, Valid)
	says(t, "a person's word", then(r, settled(Yes, Unset, minute(70))), token(0), minute(70), Valid, ReasonLive, Valid)
	probed := then(r, probe(&r, token(0), Rejected, minute(70)))
	says(t, "and a probe's", probed, token(0), minute(600), Invalid, ReasonRejected, Invalid)
}
