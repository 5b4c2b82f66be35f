package lifecycle_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// TestPairVerdicts tells what follows from the deliveries of the two pairs alone.
func TestPairVerdicts(t *testing.T) {
	on, off, cancel, reinstate := IntegrationEnabled, IntegrationDisabled, IntegrationCanceled, IntegrationReinstated
	type at struct {
		action Action
		minute int
	}
	for name, c := range map[string]struct {
		born   Flag
		events []at
		status Status
		reason Reason
		guess  Status
	}{
		"enabled":                         {Yes, nil, Valid, ReasonLive, Valid},
		"born disabled":                   {No, nil, Invalid, ReasonDisabled, Invalid},
		"born without a word":             {Unset, nil, Unknown, ReasonSuspectEnabled, Invalid},
		"a word later":                    {Unset, []at{{on, 1}}, Valid, ReasonLive, Valid},
		"disabled":                        {Yes, []at{{off, 1}}, Invalid, ReasonDisabled, Invalid},
		"off and on in order":             {Yes, []at{{off, 1}, {on, 2}}, Valid, ReasonLive, Valid},
		"on and off in order":             {No, []at{{on, 1}, {off, 2}}, Invalid, ReasonDisabled, Invalid},
		"off and on reversed":             {Yes, []at{{on, 1}, {off, 2}}, Unknown, ReasonSuspectEnabled, Valid},
		"off, on, and off":                {Yes, []at{{off, 1}, {on, 2}, {off, 3}}, Unknown, ReasonSuspectEnabled, Invalid},
		"off twice, and on":               {Yes, []at{{off, 1}, {off, 2}, {on, 3}}, Unknown, ReasonSuspectEnabled, Invalid},
		"off, on, and on again":           {Yes, []at{{off, 1}, {on, 2}, {on, 3}}, Valid, ReasonLive, Valid},
		"off, on, far apart":              {Yes, []at{{off, 1}, {on, 32}}, Valid, ReasonLive, Valid},
		"reversed far apart":              {Yes, []at{{on, 1}, {off, 32}}, Invalid, ReasonDisabled, Invalid},
		"suspect, then alone":             {Yes, []at{{on, 1}, {off, 2}, {off, 33}}, Invalid, ReasonDisabled, Invalid},
		"suspect, then a dup alone":       {Yes, []at{{on, 1}, {off, 2}, {on, 33}}, Valid, ReasonLive, Valid},
		"suspect, then not alone":         {Yes, []at{{on, 1}, {off, 2}, {on, 32}}, Unknown, ReasonSuspectEnabled, Valid},
		"suspect, alone, and the other":   {Yes, []at{{on, 1}, {off, 2}, {off, 40}, {on, 41}}, Unknown, ReasonSuspectEnabled, Valid},
		"alone in a dup cell, the other":  {Yes, []at{{off, 1}, {off, 50}, {on, 51}}, Unknown, ReasonSuspectEnabled, Invalid},
		"canceled":                        {Yes, []at{{cancel, 1}}, Invalid, ReasonCanceled, Invalid},
		"canceled and disabled":           {Yes, []at{{cancel, 1}, {off, 2}}, Invalid, ReasonCanceled, Invalid},
		"reinstated":                      {Yes, []at{{cancel, 1}, {reinstate, 100}}, Unknown, ReasonSuspectEnabled, Valid},
		"reinstated at once":              {Yes, []at{{cancel, 1}, {reinstate, 2}}, Unknown, ReasonSuspectEnabled, Valid},
		"reinstated before":               {Yes, []at{{reinstate, 1}, {cancel, 2}}, Unknown, ReasonSuspectCanceled, Valid},
		"reinstated and enabled":          {Yes, []at{{cancel, 1}, {reinstate, 100}, {on, 130}}, Unknown, ReasonSuspectEnabled, Valid},
		"reinstated and enabled later":    {Yes, []at{{cancel, 1}, {reinstate, 100}, {on, 131}}, Valid, ReasonLive, Valid},
		"reinstated and disabled later":   {Yes, []at{{cancel, 1}, {reinstate, 100}, {off, 131}}, Invalid, ReasonDisabled, Invalid},
		"a copy of a reinstatement":       {Yes, []at{{cancel, 1}, {reinstate, 100}, {on, 131}, {reinstate, 131}}, Unknown, ReasonSuspectEnabled, Valid},
		"a cancellation lost":             {Yes, []at{{reinstate, 1}}, Unknown, ReasonSuspectEnabled, Valid},
		"a cancellation lost, then alone": {Yes, []at{{reinstate, 1}, {on, 32}}, Valid, ReasonLive, Valid},
	} {
		r := fold(created(c.born, token(0), minute(0)))
		now := minute(0)
		for _, e := range c.events {
			now = minute(e.minute)
			r = then(r, delivery(e.action, now))
		}
		says(t, name, r, token(0), now, c.status, c.reason, c.guess)
	}
}

// TestUnseenVerdicts: what can be said before IntegrationCreated came.
func TestUnseenVerdicts(t *testing.T) {
	key := rotated(token(0), minute(0))
	says(t, "a token alone", fold(key), token(0), minute(0), Unknown, ReasonUnseen, Valid)
	for action, want := range map[Action]struct {
		status Status
		reason Reason
		guess  Status
	}{
		IntegrationEnabled:    {Unknown, ReasonUnseen, Valid},
		IntegrationDisabled:   {Invalid, ReasonDisabled, Invalid},
		IntegrationCanceled:   {Invalid, ReasonCanceled, Invalid},
		IntegrationReinstated: {Unknown, ReasonUnseen, Valid},
		IntegrationDeleted:    {Invalid, ReasonDeleted, Invalid},
	} {
		says(t, action.String(), fold(key, delivery(action, minute(1))), token(0), minute(1), want.status, want.reason, want.guess)
	}
	// Born disabled, it is disabled; born enabled, the two may have changed places.
	says(t, "Enabled, then Disabled", fold(key, delivery(IntegrationEnabled, minute(1)), delivery(IntegrationDisabled, minute(2))), token(0), minute(2), Unknown, ReasonUnseen, Valid)
	// A Created that comes much later than a toggle leaves open what was lost between.
	says(t, "created late", fold(delivery(IntegrationEnabled, minute(0)), created(No, token(0), minute(31))), token(0), minute(31), Unknown, ReasonSuspectEnabled, Valid)
	says(t, "created soon", fold(delivery(IntegrationEnabled, minute(0)), created(No, token(0), minute(30))), token(0), minute(30), Valid, ReasonLive, Valid)
}

func TestPolicies(t *testing.T) {
	canceled := fold(created(Yes, token(0), minute(0)), delivery(IntegrationCanceled, minute(100)))
	disabled := then(canceled, delivery(IntegrationDisabled, minute(101)))
	suspect := fold(created(Yes, token(0), minute(0)), delivery(IntegrationReinstated, minute(99)), delivery(IntegrationCanceled, minute(100)), delivery(IntegrationEnabled, minute(200)))
	reinstated := then(canceled, delivery(IntegrationReinstated, minute(101)))
	for name, c := range map[string]struct {
		r      Record
		policy Policy
		now    int
		status Status
		reason Reason
	}{
		"canceled":                           {canceled, Policy{}, 100, Invalid, ReasonCanceled},
		"usable":                             {canceled, Policy{Canceled: CanceledUsable}, 9999, Valid, ReasonLive},
		"usable, but disabled":               {disabled, Policy{Canceled: CanceledUsable}, 101, Invalid, ReasonDisabled},
		"usable, and nobody knows":           {suspect, Policy{Canceled: CanceledUsable}, 200, Valid, ReasonLive},
		"nobody knows":                       {suspect, Policy{}, 200, Unknown, ReasonSuspectCanceled},
		"usable for an hour":                 {canceled, Policy{Canceled: CanceledUsableFor, CanceledFor: time.Hour}, 159, Valid, ReasonLive},
		"usable for an hour, later":          {canceled, Policy{Canceled: CanceledUsableFor, CanceledFor: time.Hour}, 160, Invalid, ReasonCanceled},
		"usable for an hour, clock set back": {canceled, Policy{Canceled: CanceledUsableFor, CanceledFor: time.Hour}, 98, Invalid, ReasonCanceled},
		"ask":                                {canceled, Policy{Canceled: CanceledAsk}, 100, Unknown, ReasonCanceled},
		"ask, but disabled":                  {disabled, Policy{Canceled: CanceledAsk}, 101, Invalid, ReasonDisabled},
		"assume at once":                     {reinstated, Policy{Assume: true}, 101, Valid, ReasonSuspectEnabled},
		"assume after a while":               {reinstated, Policy{Assume: true, AssumeAfter: time.Hour}, 160, Unknown, ReasonSuspectEnabled},
		"assume, after a while":              {reinstated, Policy{Assume: true, AssumeAfter: time.Hour}, 161, Valid, ReasonSuspectEnabled},
		"do not assume":                      {reinstated, Policy{}, 99999, Unknown, ReasonSuspectEnabled},
		"lease":                              {fold(created(Yes, token(0), minute(0))), Policy{Lease: time.Hour}, 59, Valid, ReasonLive},
		"a clock a minute behind":            {fold(created(Yes, token(0), minute(0))), Policy{Lease: time.Hour}, -1, Unknown, ReasonLease},
		"lease expired":                      {fold(created(Yes, token(0), minute(0))), Policy{Lease: time.Hour}, 60, Unknown, ReasonLease},
		"lease expired, assume":              {fold(created(Yes, token(0), minute(0))), Policy{Lease: time.Hour, Assume: true}, 60, Unknown, ReasonLease},
		"no lease":                           {fold(created(Yes, token(0), minute(0))), Policy{}, 1 << 30, Valid, ReasonLive},
	} {
		v := c.r.Verdict(token(0), &c.policy, minute(c.now))
		assumed := c.policy.Assume && v.Reason != ReasonLease && c.status == Valid
		if v.Status != c.status || v.Reason != c.reason || v.Assumed != assumed || v.Active() != (c.status == Valid) {
			t.Errorf("%s: %v (%v), assumed %v", name, v.Status, v.Reason, v.Assumed)
		}
	}
	disputed := then(canceled, Evidence{Kind: KindContest, Token: token(0), At: minute(101)})
	for _, r := range []Record{disputed, fold(created(Yes, token(0), minute(0)), Evidence{Kind: KindContest, Token: token(0), At: minute(1)})} {
		if v := r.Verdict(token(0), &Policy{Assume: true}, minute(200)); v.Status == Valid || v.Guess() == Valid {
			t.Errorf("whose token it is, is assumed: %+v", v)
		}
	}
}

// TestLease: whatever the record and whatever the clock, Valid stands on evidence
// that is younger than the lease, and not from the future.
func TestLease(t *testing.T) {
	valid := 0
	rapid.Check(t, func(t *rapid.T) {
		var r Record
		s := newSource(everything)
		for range rapid.IntRange(1, 10).Draw(t, "length") {
			r = then(r, s.draw(t, &r))
		}
		if k, ok := r.CurrentKey(); ok && rapid.Bool().Draw(t, "settled") {
			r = then(r, probe(&r, k.Digest, Accepted, s.now))
		}
		policy := Policy{
			Lease:    time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "lease")),
			Canceled: CanceledPolicy(rapid.IntRange(0, 3).Draw(t, "canceled")),
			Grace:    time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "grace")),
		}
		if rapid.Bool().Draw(t, "a day") {
			policy.Lease = 24 * time.Hour
		}
		for _, now := range []Instant{
			s.now, s.now.Add(24 * time.Hour), s.now.Add(-24 * time.Hour), s.now.Add(-time.Minute), math.MinInt64, math.MaxInt64,
			Instant(rapid.Int64().Draw(t, "now")), s.now.Add(time.Duration(rapid.Int64().Draw(t, "later"))),
		} {
			for _, k := range r.Keys {
				v := r.Verdict(k.Digest, &policy, now)
				age := (float64(now) - float64(v.Evidence.At)) * 1e3 // nanoseconds
				if v.Status == Valid && (age >= float64(policy.Lease)*1.001 || age <= -61e9) {
					t.Fatalf("Valid on evidence of %v at %v, lease %v", v.Evidence.At, now, policy.Lease)
				}
				if v.Status == Valid {
					valid++
				}
			}
		}
	})
	if valid == 0 {
		t.Error("nothing was ever valid")
	}
}

func TestAge(t *testing.T) {
	v := Verdict{Evidence: Basis{At: minute(0)}}
	if age := v.Age(minute(7).Time()); age != 7*time.Minute {
		t.Errorf("age %v", age)
	}
	if age := (Verdict{}).Age(minute(7).Time()); age != 0 {
		t.Errorf("age of nothing: %v", age)
	}
}

// TestZeroVerdict: the zero value is what a token gets that nobody knows, whatever
// the policy.
func TestZeroVerdict(t *testing.T) {
	var zero Verdict
	if zero.Status != Unknown || zero.Reason != ReasonUnfamiliar || zero.Guess() != Invalid || zero.Active() || zero.Age(time.Now()) != 0 {
		t.Errorf("the zero verdict is %v (%v), best guess %v", zero.Status, zero.Reason, zero.Guess())
	}
	for _, p := range []Policy{{}, {Assume: true}, {Lease: time.Hour}, {Canceled: CanceledUsable, Grace: time.Hour}} {
		if v := new(Record).Verdict(token(0), &p, minute(0)); v != zero {
			t.Errorf("under %+v an unfamiliar token gets %+v", p, v)
		}
		r := fold(created(Yes, token(0), minute(0)))
		v := r.Verdict(token(1), &p, minute(1))
		if v.Status != Unknown || v.Reason != ReasonUnfamiliar || v.Guess() != Invalid || v.Assumed {
			t.Errorf("under %+v a token of nobody's gets %+v of a known integration", p, v)
		}
	}
}
