package events

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Encode returns the body of the webhook that says what the event says. See
// [Event.Append].
func Encode(e Event) ([]byte, error) { return e.Append(nil) }

// Append appends the body of the webhook that says what the event says, in Mews's JSON. It
// writes what the action's contract names, with null for what is missing; it leaves out
// the optional Service. It writes an unknown action as it came. The token, the name and
// the email address are in clear.
//
// [Decode] reads an event that it returned back as it was, except for Unread. Of any other
// event Append writes only what Decode would accept, otherwise it returns dst unchanged
// and an *[Error]. It does not look into Raw.
func (e Event) Append(dst []byte) ([]byte, error) {
	w := writer{buf: dst}
	switch {
	case e.General != nil:
		w.general(e.General, e.AccessToken)
	case slices.Contains(actions, e.Action):
		w.action(&e)
	case !e.Raw.IsZero():
		return e.Raw.Append(dst), nil
	default:
		w.fail("", ErrShape, reasonNothing)
	}
	if w.err != nil {
		return dst, w.err
	}
	return w.buf, nil
}

func (w *writer) action(e *Event) {
	if place := e.lacks(); place != "" {
		w.fail(jsontext.Pointer(place), ErrShape, reasonMissing)
	}
	has := contractOf(e.Action)
	w.open()
	w.text("", "Action", e.Action.String(), 0)
	w.member("Data")
	w.open()
	for p := range numProperties {
		if has.has(p) {
			w.property(p, e)
		}
	}
	w.close()
	w.close()
}

func (w *writer) property(p property, e *Event) {
	const in = "/Data"
	switch name := propertyNames[p]; p {
	case enterprise:
		w.named("/Data/Enterprise", name, e.Enterprise)
	case service:
		if e.Service != (lifecycle.Named{}) {
			w.named("/Data/Service", name, e.Service)
		}
	case requestor:
		w.requestor("/Data/Requestor", name, e.Requestor)
	case accessToken:
		w.text(in, name, e.AccessToken.Reveal(), maxToken)
	case createdUtc:
		w.time(in, name, e.CreatedUtc)
	case isEnabled:
		w.flag(name, e.IsEnabled)
	case deletedUtc:
		w.time(in, name, e.DeletedUtc)
	case integration:
		w.named("/Data/Integration", name, e.Integration)
	case apiKey:
		w.text(in, name, e.ApiKey.Reveal(), maxToken)
	}
}

func (w *writer) named(place, name string, n lifecycle.Named) {
	w.member(name)
	if n == (lifecycle.Named{}) {
		w.null()
		return
	}
	w.open()
	w.identifier(place, n.ID)
	w.text(place, "Name", n.Name, 0)
	w.close()
}

func (w *writer) requestor(place, name string, r Requestor) {
	w.member(name)
	if r.IsZero() {
		w.null()
		return
	}
	w.open()
	w.text(place, "Name", r.Name(), 0)
	w.text(place, "Email", r.Email(), 0)
	w.close()
}

// general writes a General Webhook, with the token that came with it.
func (w *writer) general(g *General, token lifecycle.Token) {
	w.open()
	if !token.IsZero() {
		w.text("", "AccessToken", token.Reveal(), maxToken)
	}
	w.text("", "EnterpriseId", g.EnterpriseID, 0)
	w.text("", "IntegrationId", g.IntegrationID, 0)
	w.member("Events")
	w.buf = append(w.buf, '[')
	for i, e := range g.Events {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.open()
		w.text("/Events/*", "Discriminator", e.Discriminator, 0)
		w.member("Value")
		w.open()
		w.text("/Events/*/Value", "Id", e.ID, 0)
		w.close()
		w.close()
	}
	w.buf = append(w.buf, ']')
	w.close()
}
