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
		"off and on reversed":             {Yes, []at{{on, 1}, {off, 2}}, Valid, ReasonLive, Valid},
		"off, on, and off":                {Yes, []at{{off, 1}, {on, 2}, {off, 3}}, Unknown, ReasonSuspectEnabled, Invalid},
		"off twice, and on":               {Yes, []at{{off, 1}, {off, 2}, {on, 3}}, Unknown, ReasonSuspectEnabled, Invalid},
		"off, on, and on again":           {Yes, []at{{off, 1}, {on, 2}, {on, 3}}, Valid, ReasonLive, Valid},
		"off, on, far apart":              {Yes, []at{{off, 1}, {on, 32}}, Valid, ReasonLive, Valid},
		"reversed far apart":              {Yes, []at{{on, 1}, {off, 32}}, Invalid, ReasonDisabled, Invalid},
		"suspect, then alone":             {Yes, []at{{on, 1}, {off, 2}, {off, 33}}, Invalid, ReasonDisabled, Invalid},
		"suspect, then a dup alone":       {Yes, []at{{on, 1}, {off, 2}, {on, 33}}, Valid, ReasonLive, Valid},
		"suspect, then not alone":         {Yes, []at{{on, 1}, {off, 2}, {on, 32}}, Valid, ReasonLive, Valid},
		"suspect, alone, and the other":   {Yes, []at{{on, 1}, {off, 2}, {off, 40}, {on, 41}}, Valid, ReasonLive, Valid},
		"alone in a dup cell, the other":  {Yes, []at{{off, 1}, {off, 50}, {on, 51}}, Invalid, ReasonDisabled, Invalid},
		"canceled":                        {Yes, []at{{cancel, 1}}, Invalid, ReasonCanceled, Invalid},
		"canceled and disabled":           {Yes, []at{{cancel, 1}, {off, 2}}, Invalid, ReasonCanceled, Invalid},
		"reinstated":                      {Yes, []at{{cancel, 1}, {reinstate, 100}}, Unknown, ReasonSuspectEnabled, Valid},
		"reinstated at once":              {Yes, []at{{cancel, 1}, {reinstate, 2}}, Unknown, ReasonSuspectEnabled, Valid},
		"reinstated before":               {Yes, []at{{reinstate, 1}, {cancel, 2}}, Unknown, ReasonSuspectEnabled, Valid},
		"reinstated and enabled":          {Yes, []at{{cancel, 1}, {reinstate, 100}, {on, 130}}, Valid, ReasonLive, Valid},
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
	suspect := fold(created(Yes, token(0), minute(0)), delivery(IntegrationCanceled, minute(98)), delivery(IntegrationReinstated, minute(99)), delivery(IntegrationCanceled, minute(100)), delivery(IntegrationEnabled, minute(200)))
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
		"usable for an hour":                 {canceled, Policy{Canceled: CanceledUsable, CanceledFor: time.Hour}, 159, Valid, ReasonLive},
		"usable for an hour, later":          {canceled, Policy{Canceled: CanceledUsable, CanceledFor: time.Hour}, 160, Invalid, ReasonCanceled},
		"usable for an hour, clock set back": {canceled, Policy{Canceled: CanceledUsable, CanceledFor: time.Hour}, 98, Invalid, ReasonCanceled},
		"ask":                                {canceled, Policy{Canceled: CanceledAsk}, 100, Unknown, ReasonCanceled},
		"ask, but disabled":                  {disabled, Policy{Canceled: CanceledAsk}, 101, Invalid, ReasonDisabled},
		"assume at once":                     {reinstated, Policy{Assume: true}, 101, Valid, ReasonSuspectEnabled},
		"assume after a while":               {reinstated, Policy{Assume: true, AssumeAfter: time.Hour}, 160, Unknown, ReasonSuspectEnabled},
		"assume, after a while":              {reinstated, Policy{Assume: true, AssumeAfter: time.Hour}, 161, Valid, ReasonSuspectEnabled},
		"do not assume":                      {reinstated, Policy{}, 99999, Unknown, ReasonSuspectEnabled},
		"max age":                            {fold(created(Yes, token(0), minute(0))), Policy{MaxAge: time.Hour}, 59, Valid, ReasonLive},
		"a clock a minute behind":            {fold(created(Yes, token(0), minute(0))), Policy{MaxAge: time.Hour}, -1, Unknown, ReasonLease},
		"max age reached":                    {fold(created(Yes, token(0), minute(0))), Policy{MaxAge: time.Hour}, 60, Unknown, ReasonLease},
		"max age reached, assume":            {fold(created(Yes, token(0), minute(0))), Policy{MaxAge: time.Hour, Assume: true}, 60, Unknown, ReasonLease},
		"no max age":                         {fold(created(Yes, token(0), minute(0))), Policy{}, 1 << 30, Valid, ReasonLive},
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
// that is younger than the max age, and not from the future.
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
			MaxAge:   time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "max age")),
			Canceled: CanceledPolicy(rapid.IntRange(0, 3).Draw(t, "canceled")),
			Grace:    time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "grace")),
		}
		if rapid.Bool().Draw(t, "a day") {
			policy.MaxAge = 24 * time.Hour
		}
		for _, now := range []Instant{
			s.now, s.now.Add(24 * time.Hour), s.now.Add(-24 * time.Hour), s.now.Add(-time.Minute), math.MinInt64, math.MaxInt64,
			Instant(rapid.Int64().Draw(t, "now")), s.now.Add(time.Duration(rapid.Int64().Draw(t, "later"))),
		} {
			for _, k := range r.Keys {
				v := r.Verdict(k.Digest, &policy, now)
				age := (float64(now) - float64(v.Evidence.At)) * 1e3 // nanoseconds
				if v.Status == Valid && (age >= float64(policy.MaxAge)*1.001 || age <= -61e9) {
					t.Fatalf("Valid on evidence of %v at %v, max age %v", v.Evidence.At, now, policy.MaxAge)
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

// TestZeroVerdict: the zero value is what a token gets that nobody knows, whatever
// the policy.
func TestZeroVerdict(t *testing.T) {
	var zero Verdict
	if zero.Status != Unknown || zero.Reason != ReasonUnfamiliar || zero.Guess() != Invalid || zero.Active() || zero.Evidence.At != 0 {
		t.Errorf("the zero verdict is %v (%v), best guess %v", zero.Status, zero.Reason, zero.Guess())
	}
	for _, p := range []Policy{{}, {Assume: true}, {MaxAge: time.Hour}, {Canceled: CanceledUsable, Grace: time.Hour}} {
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

// TestVerdictIsAsOldAsItsOldestFact: what renews one fact does not renew the others.
func TestVerdictIsAsOldAsItsOldestFact(t *testing.T) {
	day := Policy{MaxAge: 24 * time.Hour}
	birth := fold(created(Yes, token(0), minute(0)))
	hours := func(n int) Instant { return minute(60 * n) }
	for name, c := range map[string]struct {
		r      Record
		token  int
		status Status
		at     int // hours: of the evidence
	}{
		"a rotation renews the token alone":   {then(birth, rotated(token(1), hours(30))), 1, Unknown, 0},
		"a toggle renews the flag alone":      {then(birth, delivery(IntegrationEnabled, hours(30))), 0, Unknown, 0},
		"a reinstatement renews its own pair": {then(birth, delivery(IntegrationEnabled, hours(30)), delivery(IntegrationCanceled, hours(28))), 0, Invalid, 28},
		"a 200 renews all":                    {then(birth, probe(&birth, token(0), Accepted, hours(30))), 0, Valid, 30},
		"an own 200 renews all":               {then(birth, own(token(0), Accepted, hours(30), hours(30))), 0, Valid, 30},
		"an import renews all":                {then(birth, imported(Yes, token(1), hours(30))), 1, Valid, 30},
	} {
		v := c.r.Verdict(token(c.token), &day, hours(31))
		if v.Status != c.status || c.status == Unknown && v.Reason != ReasonLease || c.status != Invalid && v.Evidence.At != hours(c.at) {
			t.Errorf("%s: %v (%v) on evidence of %v, want %v on that of %v", name, v.Status, v.Reason, v.Evidence.At, c.status, hours(c.at))
		}
	}
	// One fact from the future is not fresh, whatever the others are.
	ahead := then(birth, delivery(IntegrationEnabled, hours(1000)))
	if v := ahead.Verdict(token(0), &day, hours(1)); v.Status != Unknown || v.Reason != ReasonLease {
		t.Errorf("a flag from the future: %v (%v)", v.Status, v.Reason)
	}
}

// TestProof: with somebody to ask, no token is Valid before Mews has confirmed whose
// it is.
func TestProof(t *testing.T) {
	fresh, former := Policy{ProveSince: minute(-1)}, Policy{ProveSince: minute(50)}
	birth := fold(created(Yes, token(0), minute(0)))
	proved := then(birth, probe(&birth, token(0), Accepted, minute(1)))
	rotation := then(proved, rotated(token(1), minute(100)))
	nameless := func(r Record, at Instant) Evidence { // a 200 that does not say whose the token is
		e := probe(&r, token(0), Accepted, at)
		e.Enterprise, e.Portfolio = Named{ID: "a portfolio's own"}, true
		return e
	}
	orphan := fold(rotated(token(0), minute(0)))
	takenOver := then(orphan, probe(&orphan, token(0), Accepted, minute(1)))
	portfolio := then(orphan, nameless(orphan, minute(1)))
	for name, c := range map[string]struct {
		r      Record
		token  int
		policy Policy
		status Status
		reason Reason
	}{
		"created":                            {birth, 0, fresh, Unknown, ReasonUnproved},
		"created, nobody asks":               {birth, 0, Policy{}, Valid, ReasonLive},
		"created before somebody asked":      {birth, 0, former, Valid, ReasonLive},
		"imported before somebody asked":     {fold(imported(Yes, token(0), minute(0))), 0, former, Valid, ReasonLive},
		"rotated before somebody asked":      {then(birth, rotated(token(1), minute(40))), 1, former, Unknown, ReasonUnproved},
		"proved":                             {proved, 0, fresh, Valid, ReasonLive},
		"an own 200 is no proof":             {then(birth, own(token(0), Accepted, minute(1), minute(2))), 0, fresh, Unknown, ReasonUnproved},
		"nor is a portfolio's":               {then(birth, nameless(birth, minute(1))), 0, fresh, Unknown, ReasonUnproved},
		"rotated":                            {rotation, 1, fresh, Unknown, ReasonUnproved},
		"and the former":                     {rotation, 0, fresh, Unknown, ReasonSupersededUnproved},
		"the former, nobody asks":            {rotation, 0, Policy{}, Invalid, ReasonSuperseded},
		"the former, the new one proved":     {then(rotation, probe(&rotation, token(1), Accepted, minute(101))), 0, fresh, Invalid, ReasonSuperseded},
		"disabled and unproved":              {then(birth, delivery(IntegrationDisabled, minute(100))), 0, fresh, Invalid, ReasonDisabled},
		"the first enterprise is taken over": {takenOver, 0, fresh, Valid, ReasonLive},
		"and then contradicted":              {then(takenOver, otherHotel(created(Yes, token(0), minute(100)))), 0, fresh, Valid, ReasonLive},
		"a portfolio's, no enterprise":       {portfolio, 0, fresh, Valid, ReasonLive},
		"and then somebody names one":        {then(portfolio, created(Yes, token(0), minute(100))), 0, fresh, Unknown, ReasonUnproved},
	} {
		if v := c.r.Verdict(token(c.token), &c.policy, minute(101)); v.Status != c.status || v.Reason != c.reason {
			t.Errorf("%s: %v (%v), want %v (%v)", name, v.Status, v.Reason, c.status, c.reason)
		}
	}
	// An answer to the application does not end the first question.
	unproved := then(birth, own(token(0), Accepted, minute(1), minute(2)))
	if q, ok := unproved.Question(minute(3)); !ok || !q.Open || q.Token != token(0) {
		t.Errorf("after an own 200: %+v, %v", q, ok)
	}
	if q, ok := portfolio.Question(minute(3)); !ok || q.Open {
		t.Errorf("after an answer that proves nothing: %+v, %v; asking at once again would not help", q, ok)
	}
}

func otherHotel(e Evidence) Evidence {
	e.Enterprise.ID = "another"
	return e
}

// TestRejectedOnce: a single 401 is no certain no.
func TestRejectedOnce(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	once := then(r, probe(&r, token(0), RejectedOnce, minute(1)))
	says(t, "once", once, token(0), minute(1), Unknown, ReasonRejectedOnce, Invalid)
	if q, ok := once.Question(minute(3)); !ok || !q.Open {
		t.Errorf("rejected once, the question is closed: %+v", q)
	}
	says(t, "twice", then(once, probe(&once, token(0), Rejected, minute(3))), token(0), minute(3), Invalid, ReasonRejected, Invalid)
	says(t, "once, then a 200", then(once, probe(&once, token(0), Accepted, minute(3))), token(0), minute(3), Valid, ReasonLive, Valid)
	// What the deliveries explain leaves the reason as it is.
	off := fold(created(No, token(0), minute(0)))
	off = then(off, probe(&off, token(0), Expected, minute(1)))
	says(t, "expected", off, token(0), minute(1), Invalid, ReasonDisabled, Invalid)
	if q, ok := off.Question(minute(3)); !ok || q.Open {
		t.Errorf("an expected 401 leaves the question open: %+v", q)
	}
	says(t, "expected, then enabled", then(off, delivery(IntegrationEnabled, minute(100))), token(0), minute(100), Valid, ReasonLive, Valid)
}
