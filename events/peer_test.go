package events_test

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// peer is the decoder that one writes first: encoding/json into a struct, and
// none of the checks. The benchmark races against it, and the fuzz target asks
// it for a second opinion.
type peer struct {
	Action string
	Data   struct {
		Enterprise  *peerNamed
		Service     *peerNamed
		Requestor   *struct{ Name, Email string }
		AccessToken string
		CreatedUtc  *time.Time
		IsEnabled   *bool
		DeletedUtc  *time.Time
		Integration *peerNamed
		ApiKey      string
	}
}

type peerNamed struct{ Id, Name string }

func (n *peerNamed) named() lifecycle.Named {
	if n == nil {
		return lifecycle.Named{}
	}
	return lifecycle.Named{ID: lifecycle.CanonicalID(n.Id), Name: n.Name}
}

// peerDecode decodes one of the seven actions.
func peerDecode(body []byte) (events.Event, error) {
	var p peer
	if err := json.Unmarshal(body, &p); err != nil {
		return events.Event{}, err
	}
	var action lifecycle.Action
	if action.UnmarshalText([]byte(p.Action)) != nil || action == lifecycle.ActionUnknown {
		return events.Event{}, errors.New("unknown action")
	}
	e := events.Event{Action: action, Name: p.Action, Integration: p.Data.Integration.named()}
	switch action {
	case lifecycle.IntegrationCreated:
		e.Enterprise = p.Data.Enterprise.named()
		e.Service = p.Data.Service.named()
		if r := p.Data.Requestor; r != nil {
			e.Requestor = events.NewRequestor(r.Name, r.Email)
		}
		e.AccessToken = lifecycle.NewToken(p.Data.AccessToken)
		if t := p.Data.CreatedUtc; t != nil {
			e.CreatedUtc = t.UTC()
		}
		if on := p.Data.IsEnabled; on != nil {
			e.IsEnabled = lifecycle.FlagOf(*on)
		}
	case lifecycle.IntegrationDeleted:
		if t := p.Data.DeletedUtc; t != nil {
			e.DeletedUtc = t.UTC()
		}
	case lifecycle.IntegrationApiKeyCreated:
		e.ApiKey = lifecycle.NewToken(p.Data.ApiKey)
	}
	return e, nil
}
