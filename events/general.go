package events

import "github.com/go-json-experiment/json/jsontext"

// General is a General Webhook, which is about a hotel's reservations, customers
// and the like, and no business of this module's. It can reach the same
// endpoint, so that it is recognised and handed on. Nothing in it is checked:
// what is not a string is "", and a list that is none has no events.
type General struct {
	EnterpriseID  string
	IntegrationID string
	Events        []GeneralEvent // nil if there are none
}

// GeneralEvent is one of the events of a [General].
type GeneralEvent struct {
	Discriminator string // what happened, such as "ServiceOrderUpdated"
	ID            string // of the entity that it happened to
}

// Equal reports whether both say the same. Two nils do.
func (g *General) Equal(h *General) bool {
	if g == nil || h == nil {
		return g == h
	}
	if g.EnterpriseID != h.EnterpriseID || g.IntegrationID != h.IntegrationID || len(g.Events) != len(h.Events) {
		return false
	}
	for i, e := range g.Events {
		if e != h.Events[i] {
			return false
		}
	}
	return true
}

// loose takes a string, and any other value as "".
func (d *decoder) loose() string {
	k := d.take()
	if k == '"' {
		return string(d.text())
	}
	d.rest(k)
	return ""
}

// enter enters an object, and takes any other value and returns false.
func (d *decoder) enter() bool {
	k := d.take()
	if k != '{' {
		d.rest(k)
	}
	return k == '{'
}

// generalEvents reads [{"Discriminator": "…", "Value": {"Id": "…"}}].
func (d *decoder) generalEvents() (events []GeneralEvent) {
	k := d.take()
	if k != '[' {
		d.rest(k)
		return nil
	}
	for k = d.take(); k != ']' && d.err == nil; k = d.take() {
		events = append(events, d.generalEvent(k))
	}
	return events
}

// generalEvent reads the rest of a value, of whose first token the kind is given.
func (d *decoder) generalEvent(k jsontext.Kind) (e GeneralEvent) {
	if k != '{' {
		d.rest(k)
		return e
	}
	for d.next() {
		switch string(d.name) {
		case "Discriminator":
			e.Discriminator = d.loose()
		case "Value":
			e.ID = d.entity()
		default:
			d.skip()
		}
	}
	return e
}

func (d *decoder) entity() (id string) {
	if !d.enter() {
		return ""
	}
	for d.next() {
		if string(d.name) == "Id" {
			id = d.loose()
		} else {
			d.skip()
		}
	}
	return id
}
