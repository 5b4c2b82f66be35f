package keyrack_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
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
