package mewstest

import (
	"fmt"
	"io"
	"slices"

	"github.com/keyrack-dev/keyrack/events"
)

// Message is one webhook that Mews sends or would send. It goes its way by itself
// unless a script takes over. It is formatted without its body, which can hold a token.
// All methods of a nil Message do nothing.
type Message struct {
	world  *World
	of     *Integration // nil for a message about no integration
	number int          // of its integration's messages, or of the forged ones
	sort   sort
	name   string // of the action
	body   events.Raw

	// Guarded by world.mu.
	state    state
	turn     int // plans from before the last send are void
	attempts int
	follows  *Message   // it waits until that one has been tried
	waiting  []*Message // for this one to be tried
	tried    bool
}

// sort distinguishes the messages of one number.
type sort uint8

const (
	original sort = iota
	duplicate
	unknown
	general
	forged
	numSorts
)

var sortNames = [numSorts]string{"", "duplicate", "unknown action", "General Webhook", "forged"}

// state is the stage that a message has reached.
type state uint8

const (
	fresh       state = iota
	planned           // to be sent at its time
	underWay          // being sent
	held              // by a script, to be released
	overtakable       // until the next message has been tried
	scripted          // in a script's hands for good
	delivered
	discarded // after its last attempt
	lost
)

// waited reports whether Settle waits for the message.
func (s state) waited() bool { return s == planned || s == underWay }

// over reports whether nothing more will happen to the message by itself.
func (s state) over() bool { return s >= scripted }

// Body returns the body as it is sent, with tokens in clear.
func (m *Message) Body() []byte {
	if m == nil {
		return nil
	}
	return m.body.Bytes()
}

// Action returns Mews's name for what the message reports.
func (m *Message) Action() string {
	if m == nil {
		return ""
	}
	return m.name
}

// String names the message as the log does, such as
// "IntegrationEnabled (message 3 of integration 7)".
func (m *Message) String() string {
	switch {
	case m == nil:
		return "no message"
	case m.sort != original:
		return fmt.Sprintf("%s (%s %d of integration %d)", m.name, sortNames[m.sort], m.number, m.integration())
	}
	return fmt.Sprintf("%s (message %d of integration %d)", m.name, m.number, m.integration())
}

// Format writes what String returns, whatever the verb.
func (m *Message) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// Latest returns the newest message about the integration, unless it is over. Right
// after Connect that is the message that reports the connection.
func (i *Integration) Latest() *Message {
	i.world.mu.Lock()
	defer i.world.mu.Unlock()
	return i.latest
}

// integration returns the number of the message's integration, or 0.
func (m *Message) integration() int {
	if m.of == nil {
		return 0
	}
	return m.of.number
}

// fate returns the number by which the message's fate is drawn.
func (m *Message) fate() int { return m.number*int(numSorts) + int(m.sort) }

// set moves a message to another state. Earlier plans for it become void, as they do
// after the next send. w.mu is held.
func (m *Message) set(to state) {
	w := m.world
	switch {
	case m.state.waited() && !to.waited():
		w.await(-1)
	case !m.state.waited() && to.waited():
		w.await(1)
	}
	if m.state == held {
		w.held = slices.DeleteFunc(w.held, func(other *Message) bool { return other == m })
	}
	if to == held {
		w.held = append(w.held, m)
	}
	m.state = to
	if to.over() && m.of != nil && m.of.latest == m {
		m.of.latest = nil
	}
}

func (m *Message) entry(kind Kind, note string) LogEntry {
	return LogEntry{
		Kind: kind, Integration: m.integration(), Message: m.number, Sort: sortNames[m.sort],
		Attempt: m.attempts, What: m.name, Note: note,
	}
}
