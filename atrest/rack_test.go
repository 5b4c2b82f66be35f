package atrest_test

import (
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// fixture is a store, and what seals for it. Tests call integrations and tokens by
// short names.
type fixture struct {
	*testing.T
	store  *memstore.Store
	sealer seal.Sealer
}

// bench is a Rack on a fixture's store.
type bench struct {
	fixture
	*keyrack.Rack
}

func (f fixture) open() bench { return f.keeping(keyrack.Retention{}) }

// keeping opens a Rack that keeps a part of the journal.
func (f fixture) keeping(retention keyrack.Retention) bench {
	f.Helper()
	rack, err := keyrack.Open(f.Context(), f.store, &keyrack.Options{Sealer: f.sealer, Horizon: time.Second, Retention: retention})
	if err != nil {
		f.Fatal(err)
	}
	return bench{f, rack}
}

// examined fails for everything that Examine finds.
func (f fixture) examined() {
	f.Helper()
	for finding, err := range atrest.Examine(f.Context(), f.store, f.sealer) {
		f.Errorf("found in the store: %v, %v", finding, err)
	}
}

// deliver delivers a webhook, and returns its entry's id.
func (b bench) deliver(e events.Event) store.EntryID {
	b.Helper()
	e.Name = e.Action.String()
	body, err := events.Encode(e)
	if err != nil {
		b.Fatal(err)
	}
	receipt, err := b.Deliver(b.Context(), body)
	if err != nil {
		b.Fatal(err)
	}
	return receipt.ID
}

func (b bench) toggle(integration string, on bool) {
	b.Helper()
	time.Sleep(2 * time.Second) // beyond the horizon
	action := lifecycle.IntegrationDisabled
	if on {
		action = lifecycle.IntegrationEnabled
	}
	b.deliver(events.Event{Action: action, Integration: named(integration)})
}

func (b bench) is(token string, status lifecycle.Status, reason lifecycle.Reason) {
	b.Helper()
	if v := b.Check(testkit.Token(token)); v.Status != status || v.Reason != reason {
		b.Errorf("token %s is %v (%v), want %v (%v)", token, v.Status, v.Reason, status, reason)
	}
}

// has fails unless the Rack hands out a token of an integration.
func (b bench) has(integration, token string) {
	b.Helper()
	if got, _, err := b.Token(b.Context(), named(integration).ID); err != nil || got.Reveal() != testkit.Token(token) {
		b.Errorf("the token of %s is another one, or none: %v", integration, err)
	}
}

func named(integration string) lifecycle.Named {
	return lifecycle.Named{ID: testkit.ID("integration", integration)}
}

func creation(integration, token string, enabled lifecycle.Flag) events.Event {
	return events.Event{
		Action: lifecycle.IntegrationCreated, Integration: named(integration), Enterprise: named("hotel"),
		AccessToken: lifecycle.NewToken(testkit.Token(token)), CreatedUtc: time.Date(2019, 12, 13, 14, 42, 52, 0, time.UTC), IsEnabled: enabled,
	}
}

func rotation(integration, token string) events.Event {
	return events.Event{
		Action: lifecycle.IntegrationApiKeyCreated, Integration: named(integration), ApiKey: lifecycle.NewToken(testkit.Token(token)),
	}
}

func deleted(integration string) events.Event {
	return events.Event{Action: lifecycle.IntegrationDeleted, Integration: named(integration)}
}
