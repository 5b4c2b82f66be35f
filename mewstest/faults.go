package mewstest

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Faults are what goes wrong on the way to the receiver. All fields but the windows are
// probabilities from 0 to 1. The zero value is a Mews that keeps each integration's
// messages in order and loses nothing.
type Faults struct {
	// Of each message.
	Lose      float64 // never sent
	Duplicate float64 // sent twice, byte for byte, even if it was delivered at once
	Reorder   float64 // goes by its own lag, and may overtake or be overtaken
	Delay     float64 // late by DelayBy on top of its lag, and in no order
	Null      float64 // with null for some required properties that an event can do without
	Extra     float64 // with undocumented properties
	Unknown   float64 // accompanied by an unknown action about the same integration
	General   float64 // accompanied by a General Webhook

	// Of each attempt.
	Fail       float64 // does not reach the receiver
	LoseAnswer float64 // reaches it, but Mews does not learn that, and sends it again
	Untyped    float64 // without a Content-Type

	// DelayBy is how late a delayed message is. Zero means 5 to 15 minutes.
	DelayBy Spread
	// CopyAfter is the time from a message to its duplicate. Zero means 0 to 10 minutes.
	CopyAfter Spread

	// Outages are times when the receiver cannot be reached. A message whose attempts
	// all fall into one is lost.
	Outages []Window
	// Jams are times when Mews sends nothing. What has piled up comes in one burst
	// afterwards.
	Jams []Window
}

// Flaky returns faults that every receiver should live with. No message keeps to the
// order. A tenth of all attempts fail, and a tenth of the answers are lost, so about
// one message in a thousand never arrives.
func Flaky() Faults { return Faults{Reorder: 1, Fail: 0.1, LoseAnswer: 0.1} }

// Bursty returns faults of a receiver that is away for an hour each week, and of a Mews
// that is stuck for 20 minutes each day and then sends everything at once. What happens
// during that hour is mostly lost for good.
func Bursty() Faults {
	return Faults{
		Outages: []Window{{Start: 50 * time.Hour, For: time.Hour, Every: 7 * 24 * time.Hour}},
		Jams:    []Window{{Start: 5 * time.Hour, For: 20 * time.Minute, Every: 24 * time.Hour}},
	}
}

// Hostile returns all faults at once.
func Hostile() Faults {
	f := Bursty()
	f.Lose, f.Duplicate, f.Reorder, f.Delay = 0.02, 0.3, 1, 0.1
	f.Null, f.Extra, f.Unknown, f.General = 0.2, 0.2, 0.1, 0.3
	f.Fail, f.LoseAnswer, f.Untyped = 0.2, 0.2, 0.5
	return f
}

// blank removes some of the properties that an event can do without.
func blank(e *events.Event, r *rand.Rand) {
	for _, void := range []func(){
		func() { e.Enterprise = lifecycle.Named{} },
		func() { e.Service = lifecycle.Named{} },
		func() { e.Requestor = events.Requestor{} },
		func() { e.CreatedUtc = time.Time{} },
		func() { e.IsEnabled = lifecycle.Unset },
		func() { e.DeletedUtc = time.Time{} },
		func() { e.Integration.Name = "" },
	} {
		if chance(r, 0.5) {
			void()
		}
	}
}

// withExtra adds undocumented properties to an event's body.
func withExtra(body []byte) []byte {
	body = bytes.Replace(body, []byte(`"Data":{`), []byte(`"Data":{"Region":{"Code":"EU","Tags":[1,null]},`), 1)
	return bytes.Replace(body, []byte(`{"Action":`), []byte(`{"Revision":2,"Action":`), 1)
}

// unknownBody is an event with an action that does not exist.
func unknownBody(i *Integration) []byte {
	body, err := json.Marshal(map[string]any{
		"Action": "IntegrationAudited",
		"Data": map[string]any{
			"AuditedUtc":  i.world.now().UTC().Format(time.RFC3339),
			"Integration": map[string]string{"Id": i.named.ID, "Name": i.named.Name},
		},
	})
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	return body
}

// generalBody is a General Webhook about something at the integration's hotel.
func generalBody(i *Integration, r *rand.Rand) []byte {
	body, err := events.Encode(events.Event{General: &events.General{
		EnterpriseID:  i.enterprise.named.ID,
		IntegrationID: i.named.ID,
		Events:        []events.GeneralEvent{{Discriminator: "ServiceOrderUpdated", ID: guid(r)}},
	}})
	if err != nil {
		panic(err) // identifiers always encode
	}
	return body
}
