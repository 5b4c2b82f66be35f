package atrest_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/connector"
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
		trimmed := false
		check := func(name string, other lifecycle.Policy, from time.Duration, known time.Duration, want map[atrest.Change]time.Duration) {
			t.Helper()
			found := false
			for d, err := range atrest.WhatIf(context.Background(), b.store, lifecycle.Policy{}, other, began.Add(from), time.Now()) {
				if err != nil {
					t.Fatal(err)
				}
				if d.Integration.ID != named("a").ID {
					continue
				}
				found = true
				if since := d.Since.Sub(began); since != known || !maps.Equal(d.Changed, want) || d.Trimmed != trimmed {
					t.Errorf("%s: since %v (trimmed %v): %v, want since %v (%v): %v", name, since, d.Trimmed, d.Changed, known, trimmed, want)
				}
				if d.Enterprise != named("hotel") {
					t.Errorf("%s: of %v", name, d.Enterprise)
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
		time.Sleep(time.Hour)
		b.deliver(events.Event{Action: lifecycle.IntegrationDisabled, Integration: named("b")})
		b.deliver(events.Event{Action: lifecycle.IntegrationDisabled, Integration: named("a")})
		time.Sleep(2 * time.Hour)
		if _, err := b.Trim(t.Context()); err != nil { // what a day did not trim by itself
			t.Fatal(err)
		}
		trimmed = true
		check("trimmed to what came later", usable, -time.Hour, 5*time.Hour, map[atrest.Change]time.Duration{{i, v}: 10 * time.Hour})
		trimmed = false
		check("trimmed before what is asked for", usable, 5*time.Hour, 5*time.Hour, map[atrest.Change]time.Duration{{i, v}: 10 * time.Hour})
		for d, err := range atrest.WhatIf(context.Background(), b.store, lifecycle.Policy{}, short, began.Add(-2*time.Hour), began.Add(-time.Hour)) {
			t.Errorf("before anything came: %+v, %v", d, err)
		}
	})
}

// TestPolicy: the policy in use has the defaults that the application has, and those depend on
// whether it asks Mews.
func TestPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		options keyrack.Options
		want    lifecycle.Policy
		proves  bool
	}{
		"defaults":        {keyrack.Options{}, lifecycle.Policy{}, false},
		"of its own":      {keyrack.Options{Policy: lifecycle.Policy{Canceled: lifecycle.CanceledUsable, Levels: 2}}, lifecycle.Policy{Canceled: lifecycle.CanceledUsable, Levels: 2}, false},
		"asks":            {keyrack.Options{Prober: nobody{}}, lifecycle.Policy{MaxAge: 24 * time.Hour, Levels: 2}, true},
		"asks and trusts": {keyrack.Options{Prober: nobody{}, TrustDeliveries: true, Policy: lifecycle.Policy{MaxAge: time.Hour}}, lifecycle.Policy{MaxAge: time.Hour, Levels: 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, ring := memstore.New(nil), seal.Ephemeral()
			c.options.Sealer = ring
			rack, err := keyrack.Open(t.Context(), s, &c.options)
			if err != nil {
				t.Fatal(err)
			}
			rack.Close()
			got, err := atrest.Policy(t.Context(), s, ring, nil)
			if proves := got.ProveSince != 0; proves != c.proves || err != nil {
				t.Errorf("tokens need proof: %v, want %v; %v", proves, c.proves, err)
			}
			if got.ProveSince = 0; got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			shorter, err := atrest.Policy(t.Context(), s, ring, func(p *lifecycle.Policy) { p.MaxAge = time.Second })
			if want := 10 * time.Second; err != nil || c.want.MaxAge != 0 && shorter.MaxAge != want && c.options.Prober != nil || shorter.Levels != c.want.Levels {
				t.Errorf("with a change: %+v, %v", shorter, err)
			}
			if _, err := atrest.Policy(t.Context(), s, seal.Ephemeral(), nil); !errors.Is(err, keyrack.ErrSealer) {
				t.Errorf("with another sealer: %v", err)
			}
		})
	}
}

// nobody answers no question.
type nobody struct{}

func (nobody) Probe(context.Context, lifecycle.Token, string) (connector.Answer, error) {
	return connector.Answer{}, context.DeadlineExceeded
}
