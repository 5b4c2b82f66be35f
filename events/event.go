// Package events reads and writes the webhooks that Mews sends. [Decode] takes the body of
// a request and returns an [Event], which says what happened to which integration.
// [Event.Evidence] returns what package lifecycle understands of it. Only this package
// knows Mews's wire format.
//
//	body ──► Decode ──► Event              ──► Evidence
//	           │
//	           ├──► ErrShape: Partial       JSON without something essential: kept
//	           └──► ErrSyntax               not strict JSON: refused
//
// Mews documents the format under "Integration Webhooks". A property that an event can do
// without never costs the event: see [Decode] for what is essential, and what becomes of
// the rest.
package events

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Event is one webhook: one of the seven actions, an action that this version
// does not know, or a General Webhook.
//
// It holds tokens and personal data, each behind a type of its own. Formatted or logged it
// shows identifiers and the action, and nothing else. Marshallers get [ErrPrivate];
// [Event.Append] writes Mews's JSON. Compare events with [Event.Equal].
type Event struct {
	private

	// Action is ActionUnknown for an unknown action and for a General Webhook.
	Action lifecycle.Action
	// Name is the action as it was sent; "" for a General Webhook.
	Name string

	// Integration is what the event is about. Its name may be missing, its
	// identifier only where the action is unknown.
	Integration lifecycle.Named

	// Of IntegrationCreated. All but the token may be missing.
	Enterprise  lifecycle.Named // a property (a hotel), or a chain of them
	Service     lifecycle.Named // the service that the integration is limited to
	Requestor   Requestor
	AccessToken lifecycle.Token
	CreatedUtc  time.Time // in UTC; the zero time if missing, as in .NET
	IsEnabled   lifecycle.Flag

	// Of IntegrationDeleted. It may be missing.
	DeletedUtc time.Time // in UTC; the zero time if missing, as in .NET

	// Of IntegrationApiKeyCreated.
	ApiKey lifecycle.Token

	// Raw is the whole body of an unknown action, and zero otherwise.
	Raw Raw
	// General is what a General Webhook says, and nil otherwise. If it carries a token,
	// AccessToken is that token.
	General *General

	// Unread names the properties that were there but could not be read, and count as
	// missing, such as "IsEnabled Enterprise.Id", and an essential one that was not there.
	// It says how the event came, not what happened.
	Unread string
}

// Evidence returns what the event says about its integration. at is when it reached the
// application, by the application's clock; a horizon of 0 means 30 minutes.
// digest gets the token, if there is one. Nothing gets names and email addresses of
// persons.
//
// An unknown action is evidence that something happened, with the integration's
// identifier if there was one. A General Webhook is not about an integration's life: its
// evidence names none.
func (e Event) Evidence(at time.Time, horizon time.Duration, digest func(lifecycle.Token) lifecycle.Digest) lifecycle.Evidence {
	evidence := lifecycle.Evidence{
		Kind:        lifecycle.KindDelivery,
		At:          lifecycle.At(at),
		Horizon:     horizon,
		Action:      e.Action,
		Integration: e.Integration,
		Enterprise:  e.Enterprise,
		Service:     e.Service,
		CreatedUtc:  lifecycle.At(e.CreatedUtc),
		DeletedUtc:  lifecycle.At(e.DeletedUtc),
		IsEnabled:   e.IsEnabled,
		Unread:      e.Unread,
	}
	if token := e.Token(); !token.IsZero() {
		evidence.Token = digest(token)
	}
	return evidence
}

// Token returns the one token that the event carries, or the zero Token.
func (e *Event) Token() lifecycle.Token {
	if !e.ApiKey.IsZero() {
		return e.ApiKey
	}
	return e.AccessToken
}

// Equal reports whether both events say the same, token for token. What could not be read
// says nothing.
func (e Event) Equal(f Event) bool {
	return e.Action == f.Action &&
		e.Name == f.Name &&
		e.Integration == f.Integration &&
		e.Enterprise == f.Enterprise &&
		e.Service == f.Service &&
		e.Requestor.Equal(f.Requestor) &&
		e.AccessToken.Equal(f.AccessToken) &&
		e.CreatedUtc.Equal(f.CreatedUtc) &&
		e.IsEnabled == f.IsEnabled &&
		e.DeletedUtc.Equal(f.DeletedUtc) &&
		e.ApiKey.Equal(f.ApiKey) &&
		e.Raw.Equal(f.Raw) &&
		e.General.Equal(f.General)
}

// String names the action and the integration, such as
// "IntegrationEnabled of 9e5e84e9-974d-4f16-9662-ab2200f27cb1".
func (e Event) String() string {
	switch {
	case e.General != nil:
		return "a General Webhook"
	case e.Action == lifecycle.ActionUnknown:
		return "unknown action " + strconv.Quote(e.Name) + " of " + strconv.Quote(e.Integration.ID)
	}
	return e.Action.String() + " of " + e.Integration.ID
}

// Format writes what String returns, whatever the verb.
func (e Event) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.String()) }

// LogValue returns a group of the action and the identifiers.
func (e Event) LogValue() slog.Value {
	if e.General != nil {
		return slog.StringValue(e.String())
	}
	name := e.Name
	if e.Action != lifecycle.ActionUnknown {
		name = e.Action.String()
	}
	attrs := []slog.Attr{slog.String("action", name), slog.String("integration", e.Integration.ID)}
	if id := e.Enterprise.ID; id != "" {
		attrs = append(attrs, slog.String("enterprise", id))
	}
	return slog.GroupValue(attrs...)
}
