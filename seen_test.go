package keyrack_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// TestSeenActions: what ever came is known, here and to other instances, after a
// restart too; what Mews answered is not a webhook.
func TestSeenActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, sealer := memstore.New(nil), seal.Ephemeral()
		open := func() bench {
			rack, err := keyrack.Open(context.Background(), mem, &keyrack.Options{Sealer: sealer, Prober: newOracle("k")})
			if err != nil {
				t.Fatal(err)
			}
			return bench{T: t, Rack: rack}
		}
		seen := func(b bench, want ...lifecycle.Action) {
			t.Helper()
			all := map[lifecycle.Action]bool{}
			for _, a := range want {
				all[a] = true
			}
			if diff := cmp.Diff(all, b.Stats().Seen); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		a, other := open(), open()
		a.deliver(creation("a", "k", lifecycle.No))
		settle(time.Minute)
		a.is("k", lifecycle.Valid, lifecycle.ReasonLive) // a 200 came, and no IntegrationEnabled
		seen(a, lifecycle.IntegrationCreated)
		other.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		settle(2 * time.Hour)
		seen(a, lifecycle.IntegrationCreated, lifecycle.IntegrationDisabled)
		seen(other, lifecycle.IntegrationCreated, lifecycle.IntegrationDisabled)
		a.deliver(rotation("a", "k2"))
		a.Close() // at once
		other.Close()
		again := open()
		defer again.Close()
		seen(again, lifecycle.IntegrationCreated, lifecycle.IntegrationDisabled, lifecycle.IntegrationApiKeyCreated)
	})
}

// TestUnknownActionsAlarmOnce: a name of an action is worth one alarm, and no number of
// names fills the memory.
func TestUnknownActionsAlarmOnce(t *testing.T) {
	var alarms []keyrack.Alarm
	_, deliver := newInbox(t, &alarms)
	send := func(name string) {
		deliver(fmt.Sprintf(`{"Action":%q,"Data":{"Integration":{"Id":"A"}}}`, name), http.StatusNoContent)
	}
	for _, name := range []string{"IntegrationPaused", "IntegrationPaused", "IntegrationMoved", "IntegrationPaused", "IntegrationMoved"} {
		send(name)
	}
	var names []string
	for _, a := range alarms {
		names = append(names, a.Action)
	}
	if !slices.Equal(names, []string{"IntegrationPaused", "IntegrationMoved"}) {
		t.Errorf("alarms about %q", names)
	}
	for n := range 1000 {
		send(fmt.Sprintf("Integration%d", n))
	}
	if len(alarms) > 200 {
		t.Errorf("%d alarms", len(alarms))
	}
}
