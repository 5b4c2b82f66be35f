package keyrack_test

import (
	"os"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// What Mews sends about one integration, as bytes. Tests name integrations by a
// letter and tokens by a short name; both are spelled out as Mews spells them.

// The integration of Mews's specification is called "spec", and so are its
// enterprise and its token.
const spec = "spec"

func integrationID(name string) string {
	if name == spec {
		return "9e5e84e9-974d-4f16-9662-ab2200f27cb1"
	}
	return testkit.ID("integration", name)
}

func enterpriseID(name string) string {
	if name == spec {
		return "8865aa96-f62d-4f9b-a912-ab2100f60f42"
	}
	return testkit.ID("enterprise", name)
}

// tokenText returns the text of the token that a test calls by a short name.
func tokenText(name string) string {
	if name == spec {
		return "9E5E84E9974D4F169662AB2200F27CB1-00B343A0DDA725CACAC028E38E3EABF"
	}
	return testkit.Token(name)
}

// specBody returns the body that the specification shows.
func specBody() []byte {
	body, err := os.ReadFile("events/testdata/bodies/created.json")
	if err != nil {
		panic(err)
	}
	return body
}

// webhook returns a body; change may be nil.
func webhook(action lifecycle.Action, integration string, change func(*events.Event)) []byte {
	e := events.Event{
		Action:      action,
		Name:        action.String(),
		Integration: lifecycle.Named{ID: integrationID(integration), Name: "Integration " + integration},
	}
	if change != nil {
		change(&e)
	}
	return mustEncode(e)
}

func mustEncode(e events.Event) []byte {
	body, err := events.Encode(e)
	if err != nil {
		panic(err)
	}
	return body
}

// birthday is when all integrations were created, by Mews's clock.
var birthday = time.Date(2019, 12, 13, 14, 42, 52, 0, time.UTC)

// creation returns an IntegrationCreated of the hotel "H".
func creation(integration, token string, enabled lifecycle.Flag, changes ...func(*events.Event)) []byte {
	return webhook(lifecycle.IntegrationCreated, integration, func(e *events.Event) {
		e.Enterprise = lifecycle.Named{ID: enterpriseID("H"), Name: "Sample Chain Hotel 1"}
		e.Service = lifecycle.Named{ID: testkit.ID("service", "stay"), Name: "Accommodation"}
		e.AccessToken = lifecycle.NewToken(tokenText(token))
		e.CreatedUtc = birthday
		e.IsEnabled = enabled
		for _, change := range changes {
			change(e)
		}
	})
}

func atHotel(name string) func(*events.Event) {
	return func(e *events.Event) { e.Enterprise = lifecycle.Named{ID: enterpriseID(name), Name: "Hotel " + name} }
}

func bornAt(t time.Time) func(*events.Event) {
	return func(e *events.Event) { e.CreatedUtc = t }
}

// rotation returns an IntegrationApiKeyCreated.
func rotation(integration, token string) []byte {
	return webhook(lifecycle.IntegrationApiKeyCreated, integration, func(e *events.Event) {
		e.ApiKey = lifecycle.NewToken(tokenText(token))
	})
}

// deletion returns an IntegrationDeleted; the zero time leaves DeletedUtc null.
func deletion(integration string, at time.Time) []byte {
	return webhook(lifecycle.IntegrationDeleted, integration, func(e *events.Event) { e.DeletedUtc = at })
}

// A General Webhook, and other bodies that are no event of an integration.
const (
	generalBody = `{"EnterpriseId":"8865aa96-f62d-4f9b-a912-ab2100f60f42","IntegrationId":"c8bee838-7fb1-4f4e-8fac-ac87008b2f90",` +
		`"Events":[{"Discriminator":"ServiceOrderUpdated","Value":{"Id":"7231da3b-f4a3-4e6a-8c1d-ad5a00fbb5e7"}}]}`
	unknownBody = `{"Action":"IntegrationMoved","Data":{"Integration":{"Id":"9e5e84e9-974d-4f16-9662-ab2200f27cb1"}}}`
)
