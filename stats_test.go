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
