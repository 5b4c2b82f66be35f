package atrest_test

import (
	"context"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// TestWhatIf: another policy is compared from the time that is asked for, from the beginning
// of an integration, or from where its journal begins since it was trimmed.
func TestWhatIf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fixture{t, memstore.New(nil), seal.Ephemeral()}.keeping(keyrack.Retention{Entries: 2})
		defer b.Close()
		began := time.Now()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "other", lifecycle.Yes))
		time.Sleep(5 * time.Hour)
		b.deliver(events.Event{Action: lifecycle.IntegrationCanceled, Integration: named("a")})
		time.Sleep(15 * time.Hour)
		b.deliver(deleted("a"))
		time.Sleep(2 * time.Hour)

		const v, u, i = lifecycle.Valid, lifecycle.Unknown, lifecycle.Invalid
		usable := lifecycle.Policy{Canceled: lifecycle.CanceledUsable, CanceledFor: 10 * time.Hour}
		short := lifecycle.Policy{MaxAge: 3 * time.Hour}
		check := func(name string, other lifecycle.Policy, from time.Duration, known time.Duration, want map[atrest.Change]time.Duration) {
			t.Helper()
			found := false
			for d, err := range atrest.WhatIf(context.Background(), b.store, lifecycle.Policy{}, other, began.Add(from), time.Now()) {
				if err != nil {
					t.Fatal(err)
				}
				if d.Integration != named("a").ID {
					continue
				}
				found = true
				if since := d.Since.Sub(began); since != known || !maps.Equal(d.Changed, want) {
					t.Errorf("%s: since %v: %v, want since %v: %v", name, since, d.Changed, known, want)
				}
			}
			if !found {
				t.Errorf("%s: nothing is known", name)
			}
		}
		check("the same", lifecycle.Policy{}, 0, 0, nil)
		check("usable", usable, -time.Hour, 0, map[atrest.Change]time.Duration{{i, v}: 10 * time.Hour})
		check("usable, from later on", usable, 7*time.Hour, 7*time.Hour, map[atrest.Change]time.Duration{{i, v}: 8 * time.Hour})
		check("a short age", short, 0, 0, map[atrest.Change]time.Duration{{v, u}: 2 * time.Hour})
		if n, err := b.Trim(t.Context()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		check("trimmed", short, -time.Hour, 0, map[atrest.Change]time.Duration{{v, u}: 2 * time.Hour}) // the base is of the beginning
		for d, err := range atrest.WhatIf(context.Background(), b.store, lifecycle.Policy{}, short, began.Add(-2*time.Hour), began.Add(-time.Hour)) {
			t.Errorf("before anything came: %+v, %v", d, err)
		}
	})
}
