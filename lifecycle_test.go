package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
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
	{"reinstating keeps the flag, says who knows", keyrack.Options{Policy: keyrack.Policy{Reinstated: lifecycle.ReinstatedKeeps}}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{hour, disabled("A"), "204 applied", "disabled", "invalid disabled"},
		{hour, canceled("A"), "204 applied", "canceled_disabled", "invalid canceled"},
		{hour, reinstated("A"), "204 applied", "reinstated_disabled", "invalid disabled"},
		{hour, enabled("A"), "204 applied", "reinstated_enabled", "valid live"},
		{hour, canceled("A"), "204 applied", "canceled_enabled", "invalid canceled"},
		{hour, disabled("A"), "204 applied", "canceled_disabled", "invalid canceled"},
		{hour, reinstated("A"), "204 applied", "reinstated_disabled", "invalid disabled"},
	}},
	{"reinstating sets the flag, says who knows", keyrack.Options{Policy: keyrack.Policy{Reinstated: lifecycle.ReinstatedSets}}, []move{
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
		{0, checked("A", "k9"), "unknown unfamiliar, guess invalid", "created_enabled", "valid live"},
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
	{"a lease without news", keyrack.Options{Policy: keyrack.Policy{MaxAge: day}}, []move{
		{0, created("A", "k", lifecycle.Yes), "204 applied", "created_enabled", "valid live"},
		{day - minute, checked("A", "k"), "valid live", "created_enabled", "valid live"},
		{minute, checked("A", "k"), "unknown lease_expired, guess valid", "created_enabled", "unknown lease_expired, guess valid"},
		{minute, reported("A", "k", 200, 0), "applied", "created_enabled", "valid live"},
	}},
	{"an import of what was there before", keyrack.Options{}, []move{
		{0, imported("A", "k1", "H"), "applied", "enabled", "valid live"},
		{minute, imported("A", "k1", "H"), "duplicate", "enabled", "valid live"},
		{hour, imported("A", "k2", "other"), "conflict: another enterprise", "enabled", "valid live"},
		{hour, imported("B", "k1", "H"), "conflict: token owned by another integration", "unseen", "unknown unseen, guess invalid"},
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
	{"what is no event of an integration", keyrack.Options{}, []move{
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

// trip is a Rack on its way.
type trip struct {
	t       *testing.T
	ctx     context.Context
	store   *memstore.Store
	options keyrack.Options
	rack    *keyrack.Rack
	handler *keyrack.Handler
	seen    keyrack.ServedRequest
	taken   int // what should be in the journal
}

const (
	secretText = "made-up-secret"
	hook       = keyrack.DefaultPath + "?Token=" + secretText
)

func begin(t *testing.T, options keyrack.Options) *trip {
	tr := &trip{t: t, ctx: t.Context(), store: memstore.New(nil), options: options}
	tr.options.Sealer = seal.Ephemeral()
	tr.options.Poll = day // it is alone
	tr.options.Telemetry = &keyrack.Telemetry{Answered: func(_ context.Context, o keyrack.ServedRequest) { tr.seen = o }}
	tr.open()
	return tr
}

func (tr *trip) open() {
	tr.t.Helper()
	var err error
	if tr.rack, err = keyrack.Open(tr.ctx, tr.store, &tr.options); err != nil {
		tr.t.Fatal(err)
	}
	tr.handler, err = tr.rack.Handler([]keyrack.Secret{{Name: "test", Value: keyrack.NewToken(secretText)}}, nil)
	if err != nil {
		tr.t.Fatal(err)
	}
}

// end looks back: everything that was answered is in the journal, the journal
// folds to the records, and whoever opens the store afterwards answers the same.
func (tr *trip) end() {
	tr.t.Helper()
	audit(tr.t, tr.store, tr.rack)
	entries := 0
	for e, err := range tr.store.Journal(tr.ctx, 0) {
		if err != nil {
			tr.t.Fatal(err)
		}
		entries++
		if e.Response.Status != 0 && e.Response.Status != http.StatusNoContent {
			tr.t.Errorf("in the journal, and answered %d", e.Response.Status)
		}
	}
	if entries != tr.taken {
		tr.t.Errorf("%d entries in the journal for %d pieces of evidence", entries, tr.taken)
	}
	before := ask(tr.rack, tripTokens, tripHotels)
	tr.close()
	tr.open()
	defer tr.close()
	if diff := cmp.Diff(before, ask(tr.rack, tripTokens, tripHotels)); diff != "" {
		tr.t.Errorf("reopened, it answers otherwise (-before +after):\n%s", diff)
	}
}

var (
	tripTokens = []string{spec, "new", "k", "k1", "k2", "k3", "k9", "b", "stranger"}
	tripHotels = []string{spec, "H", "other"}
)

func (tr *trip) close() {
	if err := tr.rack.Close(); err != nil {
		tr.t.Error(err)
	}
}

// post sends a body through HTTP and returns the status of the answer.
func (tr *trip) post(body []byte) int {
	w := httptest.NewRecorder()
	tr.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, hook, strings.NewReader(string(body))))
	if w.Code != tr.seen.Status {
		tr.t.Errorf("answered %d, and observed %d", w.Code, tr.seen.Status)
	}
	return w.Code
}

// stand returns the state of an integration and the verdict on its token.
func (tr *trip) stand(about string) (state, verdict string) {
	id := integrationID(about)
	if record, ok := tr.rack.Record(id); ok {
		state = record.State.String()
	}
	return state, verdictText(tr.rack.CheckIntegration(id))
}

func verdictText(v keyrack.Verdict) string {
	switch {
	case v.Assumed:
		return fmt.Sprintf("%v %v, assumed", v.Status, v.Reason)
	case v.Status == lifecycle.Unknown:
		return fmt.Sprintf("%v %v, guess %v", v.Status, v.Reason, v.Guess())
	case v.Guess() != v.Status:
		return fmt.Sprintf("%v %v, and yet the guess is %v", v.Status, v.Reason, v.Guess())
	}
	return fmt.Sprintf("%v %v", v.Status, v.Reason)
}

// journaled returns an entry as the store has it, or store.ErrNotFound.
func journaled(ctx context.Context, s store.Store, integration string, id store.EntryID) (store.Entry, error) {
	for e, err := range s.History(ctx, integration) {
		if err != nil || e.ID == id {
			return e, err
		}
	}
	return store.Entry{}, store.ErrNotFound
}

// outcome tells what became of a piece of evidence, and holds the receipt to
// what the journal says.
func (tr *trip) outcome(r keyrack.Receipt) string {
	if r.General != nil {
		return "a General Webhook"
	}
	tr.taken++
	tr.rack.NoteAnswers()
	stored, err := journaled(tr.ctx, tr.store, r.Integration, r.ID)
	if err != nil {
		tr.t.Fatalf("a receipt for what is not in the journal: %v", err)
	}
	entry, err := keyrack.ParseEntry(stored)
	if err != nil {
		tr.t.Fatal(err)
	}
	if entry.Integration != r.Integration || entry.Decision != r.Decision || entry.Is != r.Verdict.Status || entry.Reason != r.Verdict.Reason {
		tr.t.Errorf("the receipt says %+v, the journal %+v", r, entry)
	}
	text := r.Decision.Outcome.String()
	if r.Decision.Cause != 0 {
		text += ": " + r.Decision.Cause.String()
	}
	return text
}

// The deeds.

func delivered(about string, body []byte) deed {
	return deed{about, func(tr *trip) string {
		status := tr.post(body)
		if tr.seen.Refusal != "" {
			return fmt.Sprintf("%d %s", status, tr.seen.Refusal)
		}
		return fmt.Sprintf("%d %s", status, tr.outcome(tr.seen.Receipt))
	}}
}

func created(about, token string, enabled lifecycle.Flag, changes ...func(*events.Event)) deed {
	return delivered(about, creation(about, token, enabled, changes...))
}

func enabled(about string) deed {
	return delivered(about, webhook(lifecycle.IntegrationEnabled, about, nil))
}

func disabled(about string) deed {
	return delivered(about, webhook(lifecycle.IntegrationDisabled, about, nil))
}

func canceled(about string) deed {
	return delivered(about, webhook(lifecycle.IntegrationCanceled, about, nil))
}

func reinstated(about string) deed {
	return delivered(about, webhook(lifecycle.IntegrationReinstated, about, nil))
}

func deleted(about string, at time.Time) deed { return delivered(about, deletion(about, at)) }

func rotated(about, token string) deed { return delivered(about, rotation(about, token)) }

// imported imports an integration by hand, into no enterprise where it is "".
func imported(about, token, enterprise string) deed {
	return deed{about, func(tr *trip) string {
		i := keyrack.Import{
			Integration: lifecycle.Named{ID: integrationID(about)},
			Token:       keyrack.NewToken(tokenText(token)),
		}
		if enterprise != "" {
			i.Enterprise.ID = enterpriseID(enterprise)
		}
		receipt, err := tr.rack.Import(tr.ctx, i)
		if err != nil {
			return err.Error()
		}
		return tr.outcome(receipt)
	}}
}

// reported reports what the application saw on a call that began some time ago.
func reported(about, token string, status int, ago time.Duration) deed {
	return deed{about, func(tr *trip) string {
		// What began at the very moment of a delivery's arrival proves nothing.
		time.Sleep(time.Millisecond)
		receipt, err := tr.rack.Report(tr.ctx, tokenText(token), status, time.Now().Add(-ago))
		switch {
		case errors.Is(err, keyrack.ErrNotFound):
			return "not found"
		case err != nil:
			return err.Error()
		case receipt.ID.IsZero():
			return "nothing new"
		}
		return tr.outcome(receipt)
	}}
}

// checked asks about one token.
func checked(about, token string) deed {
	return deed{about, func(tr *trip) string { return verdictText(tr.rack.Check(tokenText(token))) }}
}

// handedOut asks for the current token.
func handedOut(about string) deed {
	return deed{about, func(tr *trip) string {
		token, _, err := tr.rack.Token(tr.ctx, integrationID(about))
		switch {
		case errors.Is(err, keyrack.ErrNoToken):
			return "no token"
		case err != nil:
			return err.Error()
		}
		return "token " + tokenName(token, tripTokens)
	}}
}

// A store belongs to the sealer that began it.
func TestOpenWithAnotherSealer(t *testing.T) {
	ctx := t.Context()
	s := memstore.New(nil)
	first, second := seal.NewKey(), seal.NewKey()
	ring := func(keys ...[]byte) *seal.Ring {
		r, err := seal.NewRing(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, test := range []struct {
		name   string
		sealer seal.Sealer
		want   error
	}{
		{"the first", ring(first), nil},
		{"the same again", ring(first), nil},
		{"another", ring(second), keyrack.ErrSealer},
		{"a random one", nil, keyrack.ErrSealer},
		{"a new one before the first", ring(second, first), nil},
	} {
		r, err := keyrack.Open(ctx, s, &keyrack.Options{Sealer: test.sealer})
		if !errors.Is(err, test.want) || (err == nil) != (r != nil) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if r != nil {
			if _, err := r.Deliver(ctx, specBody()); err != nil {
				t.Error(err)
			}
			if !r.Check(tokenText(spec)).Active() {
				t.Errorf("%s: the token is not known", test.name)
			}
			if token, _, err := r.Token(ctx, integrationID(spec)); token.Reveal() != tokenText(spec) {
				t.Errorf("%s: another token: %v", test.name, err)
			}
			r.Close()
		}
	}
}

// durable is a store that does not say that it ends with the process.
type durable struct{ store.Store }

func TestOpenWithoutSealer(t *testing.T) {
	if _, err := keyrack.Open(t.Context(), durable{memstore.New(nil)}, nil); !errors.Is(err, keyrack.ErrNoSealer) {
		t.Errorf("a durable store without a sealer: %v", err)
	}
	r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatalf("a store in memory without a sealer: %v", err)
	}
	r.Close()
}

// What an import brings is held to what a delivery could say: nothing gets into
// the store that could not be read again.
func TestImportRefuses(t *testing.T) {
	s := memstore.New(nil)
	ring := seal.Ephemeral()
	r, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	good := keyrack.Import{Integration: lifecycle.Named{ID: integrationID("A")}, Token: keyrack.NewToken(tokenText("k"))}
	for _, test := range []struct {
		name   string
		change func(*keyrack.Import)
		ok     bool
	}{
		{"no id", func(i *keyrack.Import) { i.Integration.ID = "" }, false},
		{"no token", func(i *keyrack.Import) { i.Token = keyrack.Token{} }, false},
		{"an id with a zero byte", func(i *keyrack.Import) { i.Integration.ID = "a\x00b" }, false},
		{"an id with a line break", func(i *keyrack.Import) { i.Enterprise.ID = "a\nb" }, false},
		{"an id that is no UTF-8", func(i *keyrack.Import) { i.Service.ID = "a\xff" }, false},
		{"a long id", func(i *keyrack.Import) { i.Integration.ID = strings.Repeat("x", 129) }, false},
		{"a long token", func(i *keyrack.Import) { i.Token = keyrack.NewToken(strings.Repeat("x", 1025)) }, false},
		{"the year 10000", func(i *keyrack.Import) { i.CreatedUtc = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, false},
		{"the year -1", func(i *keyrack.Import) { i.CreatedUtc = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, false},
		{"a name that is no UTF-8", func(i *keyrack.Import) { i.Integration.Name = "a\xff\x00" }, true},
		{"the year 9999", func(i *keyrack.Import) { i.CreatedUtc = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }, true},
	} {
		i := good
		test.change(&i)
		if _, err := r.Import(t.Context(), i); (err == nil) != test.ok || err != nil && !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	audit(t, s, r)
	again, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: ring})
	if err != nil {
		t.Fatalf("the store cannot be opened any more: %v", err)
	}
	again.Close()
}

// A report by a clock that is ahead is worth what one of now is, and no more.
func TestReportFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := begin(t, keyrack.Options{Policy: keyrack.Policy{MaxAge: hour}})
		defer tr.end()
		created("A", "k", lifecycle.Unset).do(tr)
		time.Sleep(minute)
		for _, ahead := range []time.Duration{hour, 290 * 365 * day} {
			time.Sleep(hour)
			if got := reported("A", "k", 200, -ahead).do(tr); got != "applied" {
				t.Errorf("a report from the future: %s", got)
			}
			if _, got := tr.stand("A"); got != "valid live" {
				t.Errorf("after a report from the future: %s", got)
			}
			time.Sleep(hour)
			if _, got := tr.stand("A"); got != "unknown lease_expired, guess valid" {
				t.Errorf("after the lease: %s", got)
			}
		}
		r, err := tr.rack.Report(tr.ctx, tokenText("k"), 200, time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Error(err)
		}
		tr.outcome(r)
	})
}

// Changes yields each entry after its commit, in the order of commits, waits for
// more, and ends with its context.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := begin(t, keyrack.Options{})
		defer tr.close()
		enabled("A").do(tr)
		latest, err := tr.rack.JournalEnd(tr.ctx)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(tr.ctx)
		follow := func(after store.Position) *[]keyrack.Change {
			seen := new([]keyrack.Change)
			go func() {
				for e, err := range tr.rack.Changes(ctx, after) {
					if err != nil {
						t.Errorf("Changes: %v", err)
						return
					}
					if _, err := journaled(context.Background(), tr.store, e.Integration, e.ID); err != nil {
						t.Errorf("an entry before its commit: %v", err)
					}
					*seen = append(*seen, e)
				}
			}()
			return seen
		}
		all, fresh := follow(0), follow(latest)
		for _, d := range []deed{
			created("A", "k", lifecycle.Yes), created("B", "b", lifecycle.No), disabled("A"), reinstated("A"),
			delivered("", []byte(`[]`)), reported("A", "k", 200, 0), deleted("B", time.Time{}),
		} {
			time.Sleep(time.Second)
			synctest.Wait()
			before := len(*all)
			d.do(tr)
			synctest.Wait()
			if len(*all) != before+1 {
				t.Errorf("%d entries after one more commit, %d before", len(*all), before)
			}
		}
		cancel()
		synctest.Wait() // the bubble would not end if an iteration did not
		var got []string
		for i, e := range *all {
			if i > 0 && e.Position <= (*all)[i-1].Position {
				t.Errorf("position %d after %d", e.Position, (*all)[i-1].Position)
			}
			got = append(got, fmt.Sprintf("%v %v %v to %v", e.Evidence.Kind, e.Decision.Outcome, e.Was, e.Is))
			if e.Changed() != (e.Was != e.Is) {
				t.Error("Changed is wrong")
			}
		}
		want := []string{
			"delivery parked unknown to unknown", "delivery applied unknown to valid",
			"delivery applied unknown to invalid", "delivery reconciled valid to valid", "delivery parked valid to unknown",
			"delivery unrecognized unknown to unknown", "application applied unknown to valid",
			"delivery applied invalid to invalid",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Changes (-want +got):\n%s", diff)
		}
		// How it was answered may become known before an entry is read, or after.
		answerless := cmp.Transformer("answerless", func(e keyrack.Change) keyrack.Change { e.Response = store.Response{}; return e })
		if diff := cmp.Diff((*all)[1:], *fresh, cmp.FilterValues(func(a, b keyrack.Change) bool {
			return a.Response != b.Response
		}, answerless)); diff != "" {
			t.Errorf("from the latest position on (-want +got):\n%s", diff)
		}
	})
}
