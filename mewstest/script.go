package mewstest

import (
	"context"
	"slices"

	"github.com/keyrack-dev/keyrack/events"
)

// Deliver makes one attempt now, untouched by faults, and returns how it ended.
// From then on the script alone sends the message: what was planned for it is
// void, and nothing is repeated but by another Deliver, byte for byte.
func (m *Message) Deliver() Reply {
	if m == nil {
		return Reply{}
	}
	m.take(scripted)
	return m.world.attempt(context.Background(), m, true)
}

// Hold keeps the message back until Release, Deliver or Drop.
func (m *Message) Hold() {
	if m != nil {
		m.take(held)
	}
}

// Drop loses the message.
func (m *Message) Drop() {
	if m != nil {
		m.take(lost)
	}
}

// Release sends a held message on its usual way, with a lag of its own.
func (m *Message) Release() {
	if m == nil {
		return
	}
	w := m.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.state == held {
		w.release(m)
	}
}

// take takes a message off its way. A message that is over can still be delivered.
func (m *Message) take(to state) {
	w := m.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.state.over() && to != scripted {
		return
	}
	m.set(to)
	if to == lost {
		w.note(m.entry(Lost, "dropped"))
	}
	w.pass(m)
}

// Release ends Options.Manual and sends what is held on its usual way.
func (w *World) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.manual = false
	all := w.held
	w.held = nil
	for _, m := range all {
		w.release(m)
	}
}

// Held returns the messages that are held, the oldest first.
func (w *World) Held() []*Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.held)
}

// Forge sends an event that did not happen, as if it had. It panics if the event cannot
// be encoded.
func (w *World) Forge(e events.Event) *Message {
	body, err := events.Encode(e)
	if err != nil {
		panic(err)
	}
	return w.ForgeBody(body)
}

// ForgeBody is Forge for a body of any kind.
func (w *World) ForgeBody(body []byte) *Message {
	m := &Message{world: w, sort: forged, name: "a body", body: events.NewRaw(body)}
	e, err := events.Decode(body)
	if err == nil {
		m.name = nameOf(e)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forged++
	m.number, m.of = w.forged, w.byID[e.Integration.ID]
	w.begin(m, w.lagOf(m))
	return m
}

func nameOf(e events.Event) string {
	if e.General != nil {
		return "General Webhook"
	}
	return e.Name
}
