package keyrack_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Whole trips: a webhook's bytes go in through HTTP, and what the journal, the
// record and the verdicts say comes out. Each trip is a table that reads like
// the log of a day: after a pause something happens, and then the integration
// that it is about stands so. The horizon is the default, half an hour.
var trips = []struct {
	name    string
	options keyrack.Options
	moves   []move
}{
	{"the life of the specification's hotel", keyrack.Options{}, []move{
		{0, delivered(spec, specBody()), "204 applied", "created_enabled", "valid live"},
		{0, handedOut(spec), "token spec", "created_enabled", "valid live"},
		{2 * hour, disabled(spec), "204 applied", "disabled", "invalid disabled"},
		{2 * hour, enabled(spec), "204 applied", "enabled", "valid live"},
		{2 * hour, canceled(spec), "204 applied", "canceled_enabled", "invalid canceled"},
		{2 * hour, reinstated(spec), "204 applied", "reinstated_enabled", "unknown suspect_enabled, guess valid"},
		{2 * hour, enabled(spec), "204 duplicate", "reinstated_enabled", "valid live"},
		{2 * hour, rotated(spec, "new"), "204 applied", "reinstated_enabled", "valid live"},
		{0, checked(spec, spec), "invalid superseded", "reinstated_enabled", "valid live"},
		{0, checked(spec, "new"), "valid live", "reinstated_enabled", "valid live"},
		{0, handedOut(spec), "token new", "reinstated_enabled", "valid live"},
		{2 * hour, deleted(spec, birthday.Add(day)), "204 applied", "deleted", "invalid deleted"},
		{0, checked(spec, spec), "invalid deleted", "deleted", "invalid deleted"},
		{0, checked(spec, "new"), "invalid deleted", "deleted", "invalid deleted"},
		{0, handedOut(spec), "no token", "deleted", "invalid deleted"},
	}},
	{"a cancellation keeps the enabled flag", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{hour, canceled("A"), "204 applied", "canceled_disabled", "invalid canceled"},
		{hour, reinstated("A"), "204 applied", "reinstated_disabled", "unknown suspect_enabled, guess invalid"},
		{hour, enabled("A"), "204 applied", "reinstated_enabled", "valid live"},
		{hour, canceled("A"), "204 applied", "canceled_enabled", "invalid canceled"},
		{hour, disabled("A"), "204 applied", "canceled_disabled", "invalid canceled"},
		{hour, enabled("A"), "204 applied", "canceled_enabled", "invalid canceled"},
		// The Enabled after the first reinstatement told that reinstating does not set the
		// flag, the Disabled while canceled that canceling does not clear it.
		{hour, reinstated("A"), "204 applied", "reinstated_enabled", "valid live"},
		{10 * minute, enabled("A"), "204 duplicate", "reinstated_enabled", "valid live"},
	}},
	{"reinstated for the first time", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, canceled("A"), "204 applied", "canceled_enabled", "invalid canceled"},
		{hour, reinstated("A"), "204 applied", "reinstated_enabled", "unknown suspect_enabled, guess valid"},
	}},
	{"reinstating keeps the flag, says who knows", keyrack.Options{Policy: keyrack.Policy{Reinstated: lifecycle.No}}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{hour, canceled("A"), "204 applied", "canceled_disabled", "invalid canceled"},
		{hour, reinstated("A"), "204 applied", "reinstated_disabled", "invalid disabled"},
		{hour, enabled("A"), "204 applied", "reinstated_enabled", "valid live"},
		{hour, canceled("A"), "204 applied", "canceled_enabled", "invalid canceled"},
		{hour, disabled("A"), "204 applied", "canceled_disabled", "invalid canceled"},
		{hour, reinstated("A"), "204 applied", "reinstated_disabled", "invalid disabled"},
	}},
	{"reinstating sets the flag, says who knows", keyrack.Options{Policy: keyrack.Policy{Reinstated: lifecycle.Yes}}, []move{
		{0, created("A", "k", lifecycle.No), "204 applied", "created_disabled", "invalid disabled"},
		{hour, canceled("A"), "204 applied", "canceled_disabled", "invalid canceled"},
		{hour, reinstated("A"), "204 applied", "reinstated_disabled", "valid live"},
	}},
	{"two levels, says who knows", keyrack.Options{Policy: keyrack.Policy{Levels: 2}}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{minute, disabled("A"), "204 duplicate", "disabled", "invalid disabled"}, // a copy, or the second switch
		{hour, enabled("A"), "204 applied", "enabled", "unknown suspect_enabled, guess valid"},
		{hour, enabled("A"), "204 duplicate", "enabled", "valid live"},
	}},
	{"a copy changes nothing inside the horizon, and beyond it was a second switch", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{minute, created("A", "k", lifecycle.Yes), "204 duplicate", "created_enabled", "valid live"},
		{day, created("A", "k", lifecycle.Yes), "204 duplicate", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{minute, disabled("A"), "204 duplicate", "disabled", "invalid disabled"},
		{day, disabled("A"), "204 duplicate", "disabled", "invalid disabled"},
		{day, enabled("A"), "204 applied", "enabled", "invalid disabled"},
		{minute, created("A", "k", lifecycle.No), "204 duplicate", "enabled", "invalid disabled"},
		{day, enabled("A"), "204 duplicate", "enabled", "valid live"},
		{hour, deleted("A", time.Time{}), "204 applied", "deleted", "invalid deleted"},
		{minute, deleted("A", time.Time{}), "204 duplicate", "deleted", "invalid deleted"},
	}},
	{"the early half of a pair cancels out with its late half", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, enabled("A"), "204 duplicate", "created_enabled", "valid live"},
		{5 * minute, disabled("A"), "204 reconciled", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
	}},
	{"a copy may be the early half of the next pair", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{minute, disabled("A"), "204 duplicate", "disabled", "invalid disabled"},
		{minute, enabled("A"), "204 reconciled", "disabled", "unknown suspect_enabled, guess invalid"},
		{hour, enabled("A"), "204 applied", "enabled", "valid live"},
	}},
	{"two opposite events within a horizon may have changed places", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{5 * minute, enabled("A"), "204 applied", "enabled", "valid live"}, // not these two: it was enabled before
		{5 * minute, disabled("A"), "204 applied", "disabled", "unknown suspect_enabled, guess invalid"},
		{minute, reported("A", "k", 200, 0), "applied", "enabled", "valid live"},
		{hour, canceled("A"), "204 applied", "canceled_enabled", "invalid canceled"},
		{5 * minute, reinstated("A"), "204 applied", "reinstated_enabled", "unknown suspect_enabled, guess valid"},
	}},
	{"a rotation", keyrack.Options{}, []move{
		{0, created("A", "k1", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, rotated("A", "k2"), "204 applied", "created_enabled", "valid live"},
		{0, checked("A", "k1"), "invalid superseded", "created_enabled", "valid live"},
		{minute, rotated("A", "k2"), "204 duplicate", "created_enabled", "valid live"},
		{minute, rotated("A", "k1"), "204 duplicate", "created_enabled", "valid live"},
		{minute, created("A", "k1", lifecycle.Yes), "204 duplicate", "created_enabled", "valid live"},
		{0, checked("A", "k1"), "invalid superseded", "created_enabled", "valid live"},
		{0, handedOut("A"), "token k2", "created_enabled", "valid live"},
	}},
	{"two rotations within a horizon", keyrack.Options{}, []move{
		{0, created("A", "k1", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, rotated("A", "k2"), "204 applied", "created_enabled", "valid live"},
		{minute, rotated("A", "k3"), "204 applied: rival token", "created_enabled", "unknown suspect_key, guess valid"},
		{0, checked("A", "k1"), "invalid superseded", "created_enabled", "unknown suspect_key, guess valid"},
		{0, checked("A", "k2"), "unknown suspect_key, guess valid", "created_enabled", "unknown suspect_key, guess valid"},
		{minute, reported("A", "k2", 200, 0), "applied", "created_enabled", "valid live"},
		{0, checked("A", "k3"), "invalid superseded", "created_enabled", "valid live"},
		{0, handedOut("A"), "token k2", "created_enabled", "valid live"},
	}},
	{"grace for the former token", keyrack.Options{Policy: keyrack.Policy{Grace: 10 * minute}}, []move{
		{0, created("A", "k1", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, rotated("A", "k2"), "204 applied", "created_enabled", "valid live"},
		{9 * minute, checked("A", "k1"), "valid live", "created_enabled", "valid live"},
		{minute, checked("A", "k1"), "invalid superseded", "created_enabled", "valid live"},
	}},
	{"nothing leaves a tombstone", keyrack.Options{}, []move{
		{0, deleted("A", birthday.Add(hour)), "204 applied", "deleted", "invalid deleted"},
		{0, checked("A", "k1"), "unknown unfamiliar, guess invalid", "deleted", "invalid deleted"},
		{minute, created("A", "k1", lifecycle.Yes), "204 stale", "deleted", "invalid deleted"},
		{0, checked("A", "k1"), "invalid deleted", "deleted", "invalid deleted"},
		{minute, rotated("A", "k2"), "204 stale", "deleted", "invalid deleted"},
		{0, checked("A", "k2"), "invalid deleted", "deleted", "invalid deleted"},
		{minute, enabled("A"), "204 stale", "deleted", "invalid deleted"},
		{minute, reinstated("A"), "204 stale", "deleted", "invalid deleted"},
		{minute, deleted("A", birthday.Add(hour)), "204 duplicate", "deleted", "invalid deleted"},
		{minute, deleted("A", birthday.Add(day)), "204 conflict: another DeletedUtc", "deleted", "invalid deleted"},
		{0, handedOut("A"), "no token", "deleted", "invalid deleted"},
	}},
	{"contradictions change nothing", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, created("A", "k", lifecycle.No, atHotel("other")), "204 conflict: another enterprise", "created_enabled", "valid live"},
		{hour, created("A", "k9", lifecycle.No, atHotel("other")), "204 conflict: another enterprise", "created_enabled", "valid live"},
		{0, checked("A", "k9"), "unknown disputed, guess invalid", "created_enabled", "valid live"},
		{hour, created("A", "k", lifecycle.No, bornAt(birthday.Add(1))), "204 duplicate", "created_enabled", "valid live"},
		{hour, created("A", "k", lifecycle.No, bornAt(birthday.Add(hour))), "204 conflict: another CreatedUtc", "created_enabled", "valid live"},
		{hour, deleted("A", birthday.Add(-hour)), "204 applied: DeletedUtc before CreatedUtc", "deleted", "invalid deleted"},
	}},
	{"a second creation with another token", keyrack.Options{}, []move{
		{0, created("A", "k1", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, created("A", "k2", lifecycle.Yes), "204 conflict: a second token", "created_enabled", "unknown suspect_key, guess valid"},
		{0, checked("A", "k1"), "unknown suspect_key, guess valid", "created_enabled", "unknown suspect_key, guess valid"},
		{minute, reported("A", "k1", 200, 0), "applied", "created_enabled", "valid live"},
		{0, checked("A", "k2"), "invalid superseded", "created_enabled", "valid live"},
	}},
	{"the first owner keeps a token", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, created("B", "k", lifecycle.Yes, atHotel("other")), "204 conflict: token owned by another integration", "unseen", "unknown unseen, guess invalid"},
		{0, checked("A", "k"), "valid live", "created_enabled", "valid live"},
		{hour, rotated("B", "k"), "204 conflict: token owned by another integration", "unseen", "unknown unseen, guess invalid"},
		{hour, created("B", "b", lifecycle.Yes, atHotel("other")), "204 applied", "created_enabled", "valid live"},
		{hour, rotated("B", "k"), "204 conflict: token owned by another integration", "created_enabled", "valid live"},
		{hour, deleted("A", time.Time{}), "204 applied", "deleted", "invalid deleted"},
		{hour, rotated("B", "k"), "204 conflict: token owned by another integration", "created_enabled", "valid live"},
		{0, checked("A", "k"), "invalid deleted", "deleted", "invalid deleted"},
	}},
	{"created without IsEnabled", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Unset), "204 applied", "created_disabled", "unknown suspect_enabled, guess invalid"},
		{hour, enabled("A"), "204 applied", "enabled", "valid live"},
	}},
	{"created disabled", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.No), "204 applied", "created_disabled", "invalid disabled"},
		{hour, enabled("A"), "204 applied", "enabled", "valid live"},
	}},
	{"what comes before the creation waits for it", keyrack.Options{}, []move{
		{0, disabled("A"), "204 parked", "unseen", "unknown unseen, guess invalid"},
		{minute, rotated("A", "k2"), "204 parked", "unseen", "invalid disabled"},
		{minute, created("A", "k1", lifecycle.Yes), "204 applied: rotated before", "disabled", "invalid disabled"},
		{0, checked("A", "k1"), "invalid superseded", "disabled", "invalid disabled"},
		{hour, enabled("A"), "204 applied", "enabled", "valid live"},
		{0, handedOut("A"), "token k2", "enabled", "valid live"},
	}},
	{"an orphan's creation does not override a toggle", keyrack.Options{}, []move{
		{0, enabled("A"), "204 parked", "unseen", "unknown unseen, guess invalid"},
		{day, created("A", "k", lifecycle.No), "204 applied", "enabled", "unknown suspect_enabled, guess valid"},
		{hour, enabled("A"), "204 duplicate", "enabled", "valid live"},
	}},
	{"a toggle from before a reinstatement comes after proof", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, canceled("A"), "204 applied", "canceled_enabled", "invalid canceled"},
		{hour, reinstated("A"), "204 applied", "reinstated_enabled", "unknown suspect_enabled, guess valid"},
		{minute, reported("A", "k", 200, 0), "applied", "reinstated_enabled", "valid live"},
		{minute, disabled("A"), "204 applied", "reinstated_disabled", "unknown suspect_enabled, guess invalid"},
	}},
	{"reinstated without a cancellation", keyrack.Options{}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, reinstated("A"), "204 parked", "created_enabled", "unknown suspect_enabled, guess valid"},
		{minute, canceled("A"), "204 reconciled", "created_enabled", "unknown suspect_enabled, guess valid"},
	}},
	{"canceled, and usable all the same", keyrack.Options{Policy: keyrack.Policy{Canceled: lifecycle.CanceledUsable}}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, canceled("A"), "204 applied", "canceled_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "canceled_disabled", "invalid disabled"},
		{hour, deleted("A", time.Time{}), "204 applied", "deleted", "invalid deleted"},
	}},
	{"canceled, and usable for a day", keyrack.Options{Policy: keyrack.Policy{Canceled: lifecycle.CanceledUsable, CanceledFor: day}}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, canceled("A"), "204 applied", "canceled_enabled", "valid live"},
		{day - minute, checked("A", "k"), "valid live", "canceled_enabled", "valid live"},
		{minute, checked("A", "k"), "invalid canceled", "canceled_enabled", "invalid canceled"},
	}},
	{"canceled, and only Mews knows", keyrack.Options{Policy: keyrack.Policy{Canceled: lifecycle.CanceledAsk}}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, canceled("A"), "204 applied", "canceled_enabled", "unknown canceled, guess invalid"},
		{hour, disabled("A"), "204 applied", "canceled_disabled", "invalid disabled"},
	}},
	{"the best guess is assumed at once", keyrack.Options{Policy: keyrack.Policy{Assume: true}}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{minute, enabled("A"), "204 applied", "enabled", "valid live"},
		{minute, disabled("A"), "204 applied", "disabled", "invalid suspect_enabled, assumed"},
		{0, checked("A", "stranger"), "unknown unfamiliar, guess invalid", "disabled", "invalid suspect_enabled, assumed"},
	}},
	{"the best guess is assumed after an hour without news", keyrack.Options{Policy: keyrack.Policy{Assume: true, AssumeAfter: hour}}, []move{
		{0, created("A", "k", lifecycle.Unset), "204 applied", "created_disabled", "unknown suspect_enabled, guess invalid"},
		{59 * minute, checked("A", "k"), "unknown suspect_enabled, guess invalid", "created_disabled", "unknown suspect_enabled, guess invalid"},
		{minute, checked("A", "k"), "invalid suspect_enabled, assumed", "created_disabled", "invalid suspect_enabled, assumed"},
	}},
	{"the maximum age without news", keyrack.Options{Policy: keyrack.Policy{MaxAge: day}}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{day - minute, checked("A", "k"), "valid live", "created_enabled", "valid live"},
		{minute, checked("A", "k"), "unknown lease_expired, guess valid", "created_enabled", "unknown lease_expired, guess valid"},
		{minute, reported("A", "k", 200, 0), "applied", "created_enabled", "valid live"},
	}},
	{"an import of what was there before", keyrack.Options{}, []move{
		{0, imported("A", "k1", "H"), "applied", "enabled", "valid live"},
		{minute, imported("A", "k1", "H"), "applied", "enabled", "valid live"},
		{hour, imported("A", "k2", "other"), "conflict: another enterprise", "enabled", "valid live"},
		{hour, imported("B", "k1", "H"), "conflict: token owned by another integration", "", "unknown unfamiliar, guess invalid"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{hour, imported("A", "k2", ""), "applied", "disabled", "invalid disabled"},
		{0, checked("A", "k1"), "invalid superseded", "disabled", "invalid disabled"},
	}},
	{"an import by hand reopens a tombstone", keyrack.Options{}, []move{
		{0, created("A", "k1", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, deleted("A", time.Time{}), "204 applied", "deleted", "invalid deleted"},
		{hour, imported("A", "k2", "other"), "conflict: another enterprise", "deleted", "invalid deleted"},
		{hour, imported("A", "k2", "H"), "applied: reopened by hand", "enabled", "valid live"},
		{0, checked("A", "k1"), "invalid superseded", "enabled", "valid live"},
		{0, handedOut("A"), "token k2", "enabled", "valid live"},
		{hour, deleted("A", time.Time{}), "204 applied", "deleted", "invalid deleted"},
	}},
	{"what the application saw", keyrack.Options{}, []move{
		{0, reported("A", "k", 200, 0), "not found", "", "unknown unfamiliar, guess invalid"},
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{minute, reported("A", "k", 401, 2*minute), "nothing new", "created_enabled", "valid live"},
		{0, reported("A", "k", 503, 0), "nothing new", "created_enabled", "valid live"},
		{0, reported("A", "k", 200, 0), "applied", "created_enabled", "valid live"},
		{minute, reported("A", "k", 200, 0), "nothing new", "created_enabled", "valid live"},
		{minute, reported("A", "k", 401, 0), "applied", "created_enabled", "unknown doubted, guess invalid"},
		{minute, reported("A", "k", 401, 0), "nothing new", "created_enabled", "unknown doubted, guess invalid"},
		{minute, reported("A", "k", 200, 0), "applied", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{minute, reported("A", "k", 200, 2*minute), "nothing new", "disabled", "invalid disabled"},
		{minute, reported("A", "k", 200, 0), "applied", "enabled", "valid live"},
		{hour, deleted("A", time.Time{}), "204 applied", "deleted", "invalid deleted"},
		{minute, reported("A", "k", 200, 0), "applied: works though deleted", "deleted", "unknown deleted_but_accepted, guess invalid"},
	}},
	{"deliveries about no integration", keyrack.Options{}, []move{
		{0, delivered("A", []byte(generalBody)), "204 a General Webhook", "", "unknown unfamiliar, guess invalid"},
		{0, delivered("", []byte(`{"Action":"IntegrationEnabled","Data":{}}`)), "204 unrecognized", "", "unknown unfamiliar, guess invalid"},
		{0, delivered("", []byte(`["valid", "JSON"]`)), "204 unrecognized", "", "unknown unfamiliar, guess invalid"},
		{0, delivered("", []byte(`{"Action":"IntegrationMoved","Data":[]}`)), "204 unrecognized", "", "unknown unfamiliar, guess invalid"},
		{0, delivered(spec, []byte(unknownBody)), "204 unrecognized", "unseen", "unknown unseen, guess invalid"},
		{0, delivered(spec, specBody()), "204 applied", "created_enabled", "valid live"},
		{0, delivered(spec, []byte(unknownBody)), "204 unrecognized", "created_enabled", "valid live"},
		{0, delivered("A", []byte(`{"Action":"IntegrationEnabled",}`)), "400 syntax", "", "unknown unfamiliar, guess invalid"},
	}},
}

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// move is one line of a trip: after a pause something happens, with an outcome,
// and then the integration is in a state, and its verdict is so.
type move struct {
	after   time.Duration
	deed    deed
	outcome string // with the HTTP status of a delivery, and the cause behind a colon
	state   string // "" where nothing is known of the integration
	verdict string
}

// deed is what happens in a move.
type deed struct {
	about string // an integration
	do    func(*trip) string
}

func TestTrips(t *testing.T) {
	for _, test := range trips {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := begin(t, test.options)
				defer tr.end()
				for i, m := range test.moves {
					time.Sleep(m.after)
					got := move{after: m.after, outcome: m.deed.do(tr)}
					got.state, got.verdict = tr.stand(m.deed.about)
					if got.outcome != m.outcome || got.state != m.state || got.verdict != m.verdict {
						t.Errorf("move %d: got %q, %q, %q; want %q, %q, %q", i+1,
							got.outcome, got.state, got.verdict, m.outcome, m.state, m.verdict)
					}
				}
			})
		})
	}
}
