package sqlitestore_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// TestStoreOfFormat1 opens a file that an earlier version wrote: it answers as it did,
// takes in more, and is found in order before, between and after.
func TestStoreOfFormat1(t *testing.T) {
	s := former(t, "format1")
	sealer, err := seal.NewRing(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	inOrder := func(when string) {
		t.Helper()
		for finding, err := range atrest.Examine(t.Context(), s, sealer) {
			t.Errorf("%s: %+v, %v", when, finding, err)
		}
	}
	open := func() *keyrack.Rack {
		t.Helper()
		rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: sealer})
		if err != nil {
			t.Fatal(err)
		}
		return rack
	}
	says := func(rack *keyrack.Rack, want map[string]lifecycle.Reason) {
		t.Helper()
		for token, reason := range want {
			if v := rack.Check(token); v.Reason != reason {
				t.Errorf("%s is %v (%v), want %v", token, v.Status, v.Reason, reason)
			}
		}
	}
	inOrder("as it came")
	for stored, err := range s.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		var last store.EntryID
		for e := range s.History(t.Context(), stored.Integration, store.EntryID{}) {
			last = e.ID
		}
		if stored.Last != last || last.IsZero() {
			t.Errorf("%s: version %d was made by %v, want %v", stored.Integration, stored.Version, stored.Last, last)
		}
	}
	if name, err := s.Incarnation(t.Context()); err != nil || name == "" {
		t.Errorf("incarnation %q, %v", name, err)
	}
	rack := open()
	says(rack, map[string]lifecycle.Reason{
		"token-live": lifecycle.ReasonLive, "token-disabled": lifecycle.ReasonDisabled, "token-former": lifecycle.ReasonSuperseded,
		"token-current": lifecycle.ReasonLive, "token-deleted": lifecycle.ReasonDeleted,
	})
	for range 2 {
		for _, id := range []string{"live", "disabled", "rotated", "deleted", "parked"} {
			body, err := events.Encode(events.Event{Action: lifecycle.IntegrationDisabled, Name: "IntegrationDisabled", Integration: lifecycle.Named{ID: id}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rack.Deliver(t.Context(), body); err != nil {
				t.Fatal(err)
			}
		}
		inOrder("with more in it")
	}
	rack.Close()
	rack = open()
	defer rack.Close()
	says(rack, map[string]lifecycle.Reason{"token-current": lifecycle.ReasonDisabled, "token-deleted": lifecycle.ReasonDeleted})
	upgrades := 0
	for e, err := range rack.History(t.Context(), "live") {
		if err != nil {
			t.Fatal(err)
		}
		if e.Evidence.Kind == lifecycle.KindUpgrade {
			upgrades++
		}
	}
	if upgrades != 1 {
		t.Errorf("%d upgrades of one integration", upgrades)
	}
	inOrder("in the end")
}

// TestHotelComesBackToStoreOfFormat1: the place of an integration whose end an earlier version
// noted is taken, once.
func TestHotelComesBackToStoreOfFormat1(t *testing.T) {
	s := former(t, "format1")
	sealer, err := seal.NewRing(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	open := func() *keyrack.Rack {
		t.Helper()
		rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: sealer, PassLabels: true})
		if err != nil {
			t.Fatal(err)
		}
		return rack
	}
	rack := open()
	if _, err := rack.Label(t.Context(), "deleted", map[string]string{"tenant": "4711"}, nil, "test"); err != nil {
		t.Fatal(err)
	}
	body, err := events.Encode(events.Event{
		Action: lifecycle.IntegrationCreated, Name: "IntegrationCreated", Integration: lifecycle.Named{ID: "again"}, Enterprise: lifecycle.Named{ID: "hotel"},
		IsEnabled: lifecycle.Yes, AccessToken: keyrack.NewToken("token-again"), CreatedUtc: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rack.Deliver(t.Context(), body); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the place is taken", func() bool { r, _ := rack.Record("again"); return r.Succeeds != "" })
	rack.Close()
	rack = open()
	defer rack.Close()
	if r, _ := rack.Record("again"); r.Succeeds != "deleted" || r.Labels != "tenant=4711" {
		t.Errorf("it took the place of %q, with the labels %q", r.Succeeds, r.Labels)
	}
	for finding, err := range atrest.Examine(t.Context(), s, sealer) {
		t.Errorf("%+v, %v", finding, err)
	}
}

// TestStoreOfFormerNames opens a file whose records and journal have the names that some
// kinds of evidence had before: "application", "ask" and "hand-out".
func TestStoreOfFormerNames(t *testing.T) {
	s := former(t, "kinds")
	sealer, err := seal.NewRing(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	inOrder := func(when string) {
		t.Helper()
		for finding, err := range atrest.Examine(t.Context(), s, sealer) {
			t.Errorf("%s: %+v, %v", when, finding, err)
		}
	}
	inOrder("as it came")
	rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	if v := rack.Check("token-reported"); v.Evidence.Kind != lifecycle.KindReport || !v.Active() {
		t.Errorf("reported: %+v", v)
	}
	kinds := map[lifecycle.Kind]int{}
	end, err := rack.JournalEnd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range rack.Changes(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		kinds[c.Evidence.Kind]++
		if c.Position == end {
			break
		}
	}
	want := map[lifecycle.Kind]int{
		lifecycle.KindDelivery: 3, lifecycle.KindReport: 4, lifecycle.KindProbeRequest: 1, lifecycle.KindIssue: 1,
	}
	for kind, n := range want {
		if kinds[kind] != n {
			t.Errorf("%d entries of the kind %v, want %d", kinds[kind], kind, n)
		}
	}
	for _, id := range []string{"reported", "issued", "asked"} {
		body, err := events.Encode(events.Event{Action: lifecycle.IntegrationDisabled, Name: "IntegrationDisabled", Integration: lifecycle.Named{ID: id}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rack.Deliver(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	inOrder("with more in it")
}

// former opens a copy of a store that an earlier version wrote.
func former(t *testing.T, name string) *sqlitestore.Store {
	t.Helper()
	packed, err := os.Open("testdata/" + name + ".db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := sqlitestore.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
