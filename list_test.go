package keyrack_test

import (
	"context"
	"slices"
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

// TestRecordsAreTheCallers: a caller may write to a record that it was given, and
// nobody else notices.
func TestRecordsAreTheCallers(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	for _, body := range [][]byte{
		creation("a", "k", lifecycle.Yes), rotation("a", "k2"),
		webhook(lifecycle.IntegrationEnabled, "a", nil), // a duplicate, which is remembered
		webhook(lifecycle.IntegrationDisabled, "parked", nil), webhook(lifecycle.IntegrationDisabled, "parked", nil),
	} {
		if _, err := rack.Deliver(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{integrationID("a"), integrationID("parked")} {
		for method, records := range map[string]func() []keyrack.Record{
			"Record": func() []keyrack.Record {
				record, _ := rack.Record(id)
				return []keyrack.Record{record}
			},
			"Integrations": func() (all []keyrack.Record) {
				for record := range rack.Integrations() {
					all = append(all, record)
				}
				return all
			},
			"Enterprise": func() []keyrack.Record {
				record, _ := rack.Record(id)
				return rack.Enterprise(record.Enterprise.ID)
			},
			"Explain": func() []keyrack.Record {
				e, err := rack.Explain(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				return []keyrack.Record{e.Record}
			},
			"ExplainToken": func() []keyrack.Record {
				e, err := rack.ExplainToken(t.Context(), tokenText("k"))
				if err != nil {
					t.Fatal(err)
				}
				return []keyrack.Record{e.Record}
			},
		} {
			before, _ := rack.Record(id)
			want := string(lifecycle.AppendRecord(nil, before))
			for _, record := range records() {
				clear(record.Keys)
				clear(record.Parked)
				clear(record.Enabled.Early)
			}
			after, _ := rack.Record(id)
			if diff := cmp.Diff(want, string(lifecycle.AppendRecord(nil, after))); diff != "" {
				t.Fatalf("%s gives the Rack's own memory away (-before +after):\n%s", method, diff)
			}
		}
	}
}

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), &keyrack.Options{Horizon: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		b := bench{T: t, Rack: rack}
		if diff := cmp.Diff(keyrack.Stats{
			States: map[lifecycle.State]int{}, Verdicts: map[keyrack.Standing]int{}, Seen: map[lifecycle.Action]bool{},
		}, rack.Stats()); diff != "" {
			t.Errorf("of nobody (-want +got):\n%s", diff)
		}
		b.deliver(webhook(lifecycle.IntegrationDeleted, "gone", nil)) // the oldest, and yet it does not count
		time.Sleep(time.Hour)
		b.deliver(webhook(lifecycle.IntegrationReinstated, "orphan", nil))
		time.Sleep(30 * time.Minute)
		b.deliver(creation("live", "1", lifecycle.Yes))
		b.deliver(creation("off", "2", lifecycle.No))
		b.deliver(creation("torn", "3", lifecycle.Yes))
		time.Sleep(30 * time.Minute)
		b.deliver(webhook(lifecycle.IntegrationDisabled, "parked", nil))
		b.deliver(webhook(lifecycle.IntegrationDisabled, "torn", nil))
		b.deliver(webhook(lifecycle.IntegrationEnabled, "torn", nil))
		b.deliver(webhook(lifecycle.IntegrationDisabled, "torn", nil))
		if diff := cmp.Diff(keyrack.Stats{
			States: map[lifecycle.State]int{
				lifecycle.Unseen: 2, lifecycle.CreatedEnabled: 1, lifecycle.CreatedDisabled: 1, lifecycle.Disabled: 1, lifecycle.Deleted: 1,
			},
			Verdicts: map[keyrack.Standing]int{
				{Status: lifecycle.Unknown, Reason: lifecycle.ReasonUnseen}:         2,
				{Status: lifecycle.Unknown, Reason: lifecycle.ReasonSuspectEnabled}: 1,
				{Status: lifecycle.Valid, Reason: lifecycle.ReasonLive}:             1,
				{Status: lifecycle.Invalid, Reason: lifecycle.ReasonDisabled}:       1,
				{Status: lifecycle.Invalid, Reason: lifecycle.ReasonDeleted}:        1,
			},
			Suspect: 1, Parked: 2, Orphaned: 1, Oldest: 30 * time.Minute,
			Seen: map[lifecycle.Action]bool{
				lifecycle.IntegrationCreated: true, lifecycle.IntegrationDeleted: true, lifecycle.IntegrationReinstated: true,
				lifecycle.IntegrationDisabled: true, lifecycle.IntegrationEnabled: true,
			},
		}, rack.Stats()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// ending returns an IntegrationDeleted with Mews's time.
func ending(integration string, at time.Time) []byte {
	return webhook(lifecycle.IntegrationDeleted, integration, func(e *events.Event) { e.DeletedUtc = at })
}

// A hotel that comes back has a new integration. It takes the place of the one that ended,
// in whatever order the webhooks come, once, and a subscription hears of it; the labels are
// passed on if they are to be.
func TestHotelComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, pass := range []bool{false, true} {
			s, ring := memstore.New(nil), seal.Ephemeral()
			rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: ring, PassLabels: pass})
			if err != nil {
				t.Fatal(err)
			}
			b := bench{T: t, Rack: rack, store: s}
			var h heard
			if err := b.Subscribe("test", h.handle, &keyrack.SubscribeOptions{Kinds: []keyrack.ChangeKind{keyrack.ChangeSucceeded}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			year := func(n int) time.Time { return birthday.AddDate(n, 0, 0) }
			b.deliver(creation("a", "k", lifecycle.Yes))
			b.deliver(creation("other", "o", lifecycle.Yes, bornAt(year(1)))) // a hotel may have several
			if _, err := b.Label(context.Background(), integrationID("a"), map[string]string{"tenant": "4711"}, nil, "test"); err != nil {
				t.Fatal(err)
			}
			b.deliver(creation("b", "l", lifecycle.Yes, bornAt(year(3))))
			if record, _ := b.Record(integrationID("b")); record.Succeeds != "" {
				t.Errorf("b takes the place of %s, which lives", record.Succeeds)
			}
			b.deliver(ending("a", year(2))) // it comes late
			synctest.Wait()
			record, _ := b.Record(integrationID("b"))
			if record.Succeeds != integrationID("a") || (record.Labels == "tenant=4711") != pass {
				t.Errorf("pass %v: %s, labels %q", pass, record.Succeeds, record.Labels)
			}
			time.Sleep(time.Hour)
			b.deliver(webhook(lifecycle.IntegrationCanceled, "b", nil))
			time.Sleep(time.Hour)
			b.deliver(creation("c", "m", lifecycle.Yes, bornAt(year(4))))
			synctest.Wait()
			if record, _ := b.Record(integrationID("c")); record.Succeeds != integrationID("b") {
				t.Errorf("c takes the place of %q", record.Succeeds)
			}
			b.deliver(creation("elsewhere", "e", lifecycle.Yes, atHotel("E"), bornAt(year(4))))
			var current []string
			for _, record := range b.Current(enterpriseID("H"), "") {
				current = append(current, record.ID)
			}
			if want := []string{integrationID("c"), integrationID("other")}; !slices.Equal(current, want) {
				t.Errorf("live are %v, want %v", current, want)
			}
			if n := len(b.Current(enterpriseID("H"), "another service")); n != 0 {
				t.Errorf("%d live of another service", n)
			}
			settle(time.Minute)
			var told []string
			h.mu.Lock()
			for _, c := range h.all {
				told = append(told, c.Integration+" "+c.Evidence.Succeeds)
			}
			h.mu.Unlock()
			if want := []string{integrationID("b") + " " + integrationID("a"), integrationID("c") + " " + integrationID("b")}; !slices.Equal(told, want) {
				t.Errorf("told of %v, want %v", told, want)
			}
			if text := explained(b, integrationID("b")); !strings.Contains(text, "succeeds     "+integrationID("a")) {
				t.Errorf("explained:\n%s", text)
			}
			audit(t, s, rack)
			rack.Close()
		}
	})
}

// TestHotelComesBackToSeveral: of two instances one hears of the end and the other one of the
// beginning, and neither knew of both when it did. Or all of them end before anything is
// noted. It is noted once all the same.
func TestHotelComesBackToSeveral(t *testing.T) {
	for _, dies := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, ring := memstore.New(nil), seal.Ephemeral()
			open := func() bench {
				rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: ring, Poll: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				return bench{T: t, Rack: rack, store: s}
			}
			one, two := open(), open()
			one.deliver(creation("a", "k", lifecycle.Yes))
			time.Sleep(2 * time.Hour)
			one.deliver(ending("a", birthday.AddDate(1, 0, 0)))
			two.deliver(creation("b", "l", lifecycle.Yes, bornAt(birthday.AddDate(2, 0, 0))))
			if dies {
				one.Close()
				two.Close()
				one = open()
			}
			settle(3 * time.Hour)
			if record, _ := one.Record(integrationID("b")); record.Succeeds != integrationID("a") {
				t.Errorf("dies %v: b takes the place of %q", dies, record.Succeeds)
			}
			told := 0
			for entry, err := range s.History(t.Context(), integrationID("b"), store.EntryID{}) {
				e, wrong := lifecycle.ParseEvidence(entry.Evidence)
				if err != nil || wrong != nil {
					t.Fatal(err, wrong)
				}
				if e.Kind == lifecycle.KindSucceeded {
					told++
				}
			}
			if told != 1 {
				t.Errorf("dies %v: it is noted %d times", dies, told)
			}
			one.Close()
			two.Close()
		})
	}
}
