package lifecycle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// says fails unless a token's verdict at a time is what is wanted.
func says(t *testing.T, what string, r Record, d Digest, now Instant, status Status, reason Reason, guess Status) {
	t.Helper()
	if v := verdict(&r, d, now); v.Status != status || v.Reason != reason || v.Guess() != guess {
		t.Errorf("%s: %v (%v), best guess %v; want %v (%v), %v", what, v.Status, v.Reason, v.Guess(), status, reason, guess)
	}
}

// then applies more evidence.
func then(r Record, all ...Evidence) Record {
	for _, e := range all {
		r, _ = r.Apply(e)
	}
	return r
}

// TestAccepted: a 200 moves every state to its live counterpart.
func TestAccepted(t *testing.T) {
	counterparts := map[State]State{
		Unseen:         Enabled,
		CreatedEnabled: CreatedEnabled, CreatedDisabled: Enabled,
		Enabled: Enabled, Disabled: Enabled,
		CanceledEnabled: ReinstatedEnabled, CanceledDisabled: ReinstatedEnabled,
		ReinstatedEnabled: ReinstatedEnabled, ReinstatedDisabled: ReinstatedEnabled,
	}
	for state, want := range counterparts {
		r, now := arrive(t, state)
		if state == Unseen {
			r = then(r, rotated(token(0), now))
		}
		for name, e := range map[string]Evidence{
			"probe": probe(&r, token(0), Accepted, now.Add(1e6)), "own": own(token(0), Accepted, now.Add(1e6), now.Add(2e6)),
		} {
			next, d := r.Apply(e)
			if d.Outcome != Applied || d.From != state || next.State != want || d.Alarm || d.Err() != nil {
				t.Errorf("%v, %s: %v, %+v", state, name, next.State, d)
			}
			says(t, state.String()+", "+name, next, token(0), now, Valid, ReasonLive, Valid)
			v := verdict(&next, token(0), now)
			if want := (Basis{Kind: e.Kind, At: e.Began}); v.Evidence != want {
				t.Errorf("%v, %s: evidence %+v", state, name, v.Evidence)
			}
			if name == "probe" && next.Enterprise.ID != hotel {
				t.Errorf("%v: the enterprise is %q", state, next.Enterprise.ID)
			}
		}
	}
	// Unseen, with toggles: nobody announced it, so it is not called created.
	r := fold(rotated(token(0), minute(0)), delivery(IntegrationDisabled, minute(1)))
	if r = then(r, probe(&r, token(0), Accepted, minute(2))); r.State != Enabled || r.Parked != nil {
		t.Errorf("imported as %v", r.State)
	}
}

// TestAcceptedPairs tells what a 200 leaves of the two pairs: since when they are
// what they are, and which copies still count.
func TestAcceptedPairs(t *testing.T) {
	off, canceled := created(No, token(0), minute(0)), delivery(IntegrationCanceled, minute(1))
	r := fold(off, delivery(IntegrationDisabled, minute(1)), canceled, canceled)
	r = then(r, own(token(0), Accepted, minute(2), minute(3)))
	want := Record{
		State:    ReinstatedEnabled,
		Enabled:  Pair{Since: minute(3)},
		Canceled: Pair{Since: minute(3)},
	}
	if diff := cmp.Diff(want, Record{State: r.State, Enabled: r.Enabled, Canceled: r.Canceled}); diff != "" {
		t.Errorf("what was not so (-want +got):\n%s", diff)
	}
	r = fold(created(Yes, token(0), minute(0)), delivery(IntegrationEnabled, minute(1)), delivery(IntegrationReinstated, minute(1)))
	r = then(r, own(token(0), Accepted, minute(2), minute(3)))
	want = Record{
		State:    CreatedEnabled,
		Enabled:  Pair{Since: minute(0), Early: []Instant{minute(1)}},
		Canceled: Pair{Early: []Instant{minute(1)}},
	}
	if diff := cmp.Diff(want, Record{State: r.State, Enabled: r.Enabled, Canceled: r.Canceled}); diff != "" {
		t.Errorf("what was so already (-want +got):\n%s", diff)
	}
	// What arrives within the horizon after it happened after it, unless it needs an
	// event that the token's working does not show.
	r = fold(created(Yes, token(0), minute(0)))
	r = then(r, own(token(0), Accepted, minute(4), minute(6)), delivery(IntegrationDisabled, minute(7)))
	says(t, "off after it worked", r, token(0), minute(7), Invalid, ReasonDisabled, Invalid)
	r = fold(created(Yes, token(0), minute(0)), delivery(IntegrationDisabled, minute(1)))
	r = then(r, own(token(0), Accepted, minute(4), minute(6)), delivery(IntegrationDisabled, minute(7)))
	says(t, "off again, or a copy", r, token(0), minute(7), Unknown, ReasonSuspectEnabled, Invalid)
}

// TestAcceptedElsewhere: the worst would be to answer for another enterprise.
func TestAcceptedElsewhere(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	elsewhere := probe(&r, token(0), Accepted, minute(1))
	elsewhere.Enterprise.ID = "another"
	next, d := r.Apply(elsewhere)
	if d.Outcome != Conflict || d.Cause != CauseEnterprise || !d.Alarm || next.Enterprise.ID != hotel {
		t.Errorf("%+v, %v", d, next.Enterprise)
	}
	says(t, "a 200 of another enterprise", next, token(0), minute(1), Unknown, ReasonDisputed, Invalid)
	says(t, "and a 200 that names none", then(next, own(token(0), Accepted, minute(2), minute(2))), token(0), minute(2), Unknown, ReasonDisputed, Invalid)
	says(t, "and one of the right enterprise", then(next, probe(&next, token(0), Accepted, minute(2))), token(0), minute(2), Valid, ReasonLive, Valid)

	portfolio := elsewhere
	portfolio.Portfolio = true
	next, d = r.Apply(portfolio)
	if d.Outcome != Applied || next.Enterprise.ID != hotel {
		t.Errorf("a portfolio's: %+v, %v", d, next.Enterprise)
	}
	says(t, "a portfolio's 200", next, token(0), minute(1), Valid, ReasonLive, Valid)
	orphan := fold(rotated(token(0), minute(0)))
	if orphan = then(orphan, portfolio); orphan.State != Enabled || orphan.Enterprise.ID != "" {
		t.Errorf("a portfolio's first 200: %v, %v", orphan.State, orphan.Enterprise)
	}
}

func TestContested(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	contest := Evidence{Kind: KindContest, At: minute(1), Horizon: horizon, Integration: Named{ID: integration}, Token: token(0)}
	contested, d := r.Apply(contest)
	if d.Outcome != Applied || d.Cause != CauseContested || !d.Alarm {
		t.Errorf("%+v", d)
	}
	says(t, "contested", contested, token(0), minute(1), Unknown, ReasonDisputed, Invalid)
	says(t, "and then works for somebody", then(contested, own(token(0), Accepted, minute(2), minute(2))), token(0), minute(2), Unknown, ReasonDisputed, Invalid)
	says(t, "and then for the enterprise", then(contested, probe(&contested, token(0), Accepted, minute(2))), token(0), minute(2), Valid, ReasonLive, Valid)
	contest.Token = token(5)
	if _, d := r.Apply(contest); d.Outcome != Conflict || d.Cause != CauseUnknownToken {
		t.Errorf("a contest about a token that is not there: %+v", d)
	}
}

func TestRejected(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	rejected, d := r.Apply(probe(&r, token(0), Rejected, minute(1)))
	if d.Outcome != Applied || rejected.State != CreatedEnabled {
		t.Errorf("%+v, %v", d, rejected.State)
	}
	says(t, "rejected", rejected, token(0), minute(1), Invalid, ReasonRejected, Invalid)
	if v := verdict(&rejected, token(0), minute(1)); v.Evidence != (Basis{Kind: KindProbe, At: minute(1)}) {
		t.Errorf("rejected by %+v", v.Evidence)
	}
	for action, status := range map[Action]Status{
		IntegrationEnabled: Unknown, IntegrationReinstated: Unknown, IntegrationDisabled: Invalid, IntegrationCanceled: Invalid,
	} {
		next := then(rejected, delivery(action, minute(100)))
		if v := verdict(&next, token(0), minute(100)); v.Status != status {
			t.Errorf("rejected, then %v: %v (%v)", action, v.Status, v.Reason)
		}
	}
	says(t, "rejected, then enabled", then(rejected, delivery(IntegrationEnabled, minute(100))), token(0), minute(100), Unknown, ReasonDoubted, Valid)
	// Rotated, or not working at all? A new token is not proved by the old one's end.
	next := then(rejected, rotated(token(1), minute(100)))
	says(t, "rejected, then rotated", next, token(1), minute(100), Unknown, ReasonDoubted, Invalid)
	says(t, "and then accepted", then(next, probe(&next, token(1), Accepted, minute(101))), token(1), minute(101), Valid, ReasonLive, Valid)

	unattributed := then(r, probe(&r, token(0), Unattributed, minute(1)))
	says(t, "unattributed", unattributed, token(0), minute(1), Unknown, ReasonUnattributed, Invalid)
	disabled := fold(created(No, token(0), minute(0)))
	disabled = then(disabled, probe(&disabled, token(0), Unattributed, minute(1)))
	says(t, "unattributed while disabled", disabled, token(0), minute(1), Invalid, ReasonDisabled, Invalid)
	says(t, "no answer", then(r, probe(&r, token(0), NoAnswer, minute(1))), token(0), minute(1), Valid, ReasonLive, Valid)
}

// TestOwnRejection: the application's own 401 settles nothing, but nothing is
// Valid on the strength of what was asked before it.
func TestOwnRejection(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	r = then(r, own(token(0), Unattributed, minute(5), minute(6)))
	says(t, "own 401", r, token(0), minute(6), Unknown, ReasonDoubted, Invalid)
	for name, e := range map[string]Evidence{
		"own 200 that began before": own(token(0), Accepted, minute(4), minute(7)),
		"probe that began before": func() Evidence {
			e := probe(&r, token(0), Accepted, minute(7))
			e.Began = minute(4)
			return e
		}(),
	} {
		next, d := r.Apply(e)
		if d.Outcome != Fenced {
			t.Errorf("%s: %+v", name, d)
		}
		says(t, name, next, token(0), minute(7), Unknown, ReasonDoubted, Invalid)
	}
	says(t, "own 200 that began later", then(r, own(token(0), Accepted, minute(6), minute(7))), token(0), minute(7), Valid, ReasonLive, Valid)
	says(t, "401 of a probe", then(r, probe(&r, token(0), Rejected, minute(7))), token(0), minute(7), Invalid, ReasonRejected, Invalid)
	// One that a later 200 has overtaken tells nothing.
	r = then(r, probe(&r, token(0), Accepted, minute(10)))
	says(t, "own 401 from before", then(r, own(token(0), Unattributed, minute(9), minute(11))), token(0), minute(11), Valid, ReasonLive, Valid)
}

func TestDeletedAccepted(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)), delivery(IntegrationDeleted, minute(1)))
	forged, d := r.Apply(probe(&r, token(0), Accepted, minute(2)))
	if d.Cause != CauseDeletedAccepted || !d.Alarm || forged.State != Deleted {
		t.Errorf("%+v, %v", d, forged.State)
	}
	says(t, "deleted, and works", forged, token(0), minute(2), Unknown, ReasonDeletedAccepted, Invalid)
	says(t, "and then not", then(forged, probe(&forged, token(0), Rejected, minute(3))), token(0), minute(3), Invalid, ReasonDeleted, Invalid)
}

// TestLateDelivery: what arrives soon after a 200 may be older than it only where
// that can be.
func TestLateDelivery(t *testing.T) {
	born := fold(created(Yes, token(0), minute(0)))
	r := then(born, probe(&born, token(0), Accepted, minute(100)))
	for action, reason := range map[Action]Reason{IntegrationDisabled: ReasonDisabled, IntegrationCanceled: ReasonCanceled} {
		for _, now := range []int{130, 131} {
			says(t, action.String()+" after it worked", then(r, delivery(action, minute(now))), token(0), minute(now), Invalid, reason, Invalid)
		}
	}
	r = then(born, delivery(IntegrationDisabled, minute(80)), delivery(IntegrationEnabled, minute(90)))
	r = then(r, probe(&r, token(0), Accepted, minute(100)))
	says(t, "perhaps a copy", then(r, delivery(IntegrationDisabled, minute(110))), token(0), minute(110), Unknown, ReasonSuspectEnabled, Invalid)
	says(t, "too late for a copy", then(r, delivery(IntegrationDisabled, minute(111))), token(0), minute(111), Invalid, ReasonDisabled, Invalid)
}

// TestFenced: an answer that a delivery has overtaken changes nothing.
func TestFenced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Record
		s := newSource(everything)
		for range rapid.IntRange(0, 10).Draw(t, "length") {
			r = then(r, s.draw(t, &r))
		}
		answers := []Answer{Accepted, Rejected, Unattributed}
		late := probe(&r, token(0), rapid.SampledFrom(answers).Draw(t, "answer"), s.now)
		own := own(token(0), rapid.SampledFrom(answers[:1]).Draw(t, "own answer"), s.now, s.now)
		s.mix = webhooks
		r = then(r, created(Yes, token(0), s.now), s.draw(t, &r))
		for _, e := range []Evidence{late, own} {
			next, d := r.Apply(e)
			if _, known := r.Key(token(0)); known && d.Outcome != Fenced || d.Outcome == Applied {
				t.Fatalf("%v: %+v", e.Kind, d)
			}
			next.Version--
			if diff := cmp.Diff(r, next); diff != "" {
				t.Fatalf("%v changed the record:\n%s", e.Kind, diff)
			}
		}
	})
}

// TestSettledProbe: from whatever record, the answer to a question that was put
// after everything is the verdict.
func TestSettledProbe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Record
		s := newSource(everything)
		for range rapid.IntRange(1, 15).Draw(t, "length") {
			if e := s.draw(t, &r); e.Enterprise.ID != "another" {
				r = then(r, e)
			}
		}
		k, ok := r.CurrentKey()
		if !ok {
			t.Skip("nothing to ask about")
		}
		now := s.now.Add(1e6)
		// Clocks that were ahead before must not matter.
		if ahead := s.now.Add(1e18); rapid.Bool().Draw(t, "clock set back") {
			r = then(r, probe(&r, k.Digest, Accepted, ahead), delivery(IntegrationDisabled, ahead), own(k.Digest, Unattributed, ahead.Add(1), ahead.Add(1)))
		}
		accepted := then(r, probe(&r, k.Digest, Accepted, now))
		rejected := then(r, probe(&r, k.Digest, Rejected, now))
		doubtful := then(r, probe(&r, k.Digest, Unattributed, now))
		policy := Policy{MaxAge: 1e9}
		if v := accepted.Verdict(k.Digest, &policy, now); v.Status != Valid || v.Evidence != (Basis{Kind: KindProbe, At: now}) {
			t.Fatalf("200: %v (%v), %+v", v.Status, v.Reason, v.Evidence)
		}
		if v := rejected.Verdict(k.Digest, &policy, now); v.Status != Invalid {
			t.Fatalf("401: %v (%v)", v.Status, v.Reason)
		}
		if v := doubtful.Verdict(k.Digest, &policy, now); v.Status == Valid {
			t.Fatalf("401 that may be about anything: %v", v.Status)
		}
	})
}
