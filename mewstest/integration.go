package mewstest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Connection describes how a hotel connects.
type Connection struct {
	// Hotel is the enterprise's name. Hotels of the same name are one hotel.
	Hotel string
	// Portfolio holds the names of the hotels that the token covers, if Hotel is the
	// name of a chain.
	Portfolio []string
	// Service is the name of the service that the integration is limited to.
	Service string
	// Name is the integration's name. Empty means "Keyrack test".
	Name string
	// Disabled: the integration begins disabled.
	Disabled bool
	// Unannounced: no IntegrationCreated is sent. The token comes by e-mail.
	Unannounced bool
	// Requestor is the person who asked for it. Mews usually does not say.
	Requestor events.Requestor
}

// Integration is one connection of a hotel with the receiver's application. It is
// formatted as its number and identifier.
type Integration struct {
	world      *World
	number     int // from 1
	named      lifecycle.Named
	enterprise *Enterprise
	service    lifecycle.Named
	created    time.Time

	// Guarded by world.mu.
	truth    truth
	keys     []key // the current one is the last
	rotated  int
	told     int      // messages so far
	latest   *Message // nil once it is over
	tail     *Message // the last one that keeps to the order; nil once it was tried
	asked    int      // requests to the Connector API
	forbids  []string // operations; "" stands for all
	troubles []Trouble
}

// key is a token that an integration has or had.
type key struct {
	token lifecycle.Token
	from  time.Time // when it begins to work; zero: it did from the start
	until time.Time // of a former one: when it ceases to work
}

// keptKeys is how many keys of an integration are remembered.
const keptKeys = 8

// keyID identifies an integration's key.
type keyID [16]byte

func identify(token string) keyID {
	sum := sha256.Sum256([]byte(token))
	return keyID(sum[:])
}

// Connect connects a hotel, enabled, and sends IntegrationCreated.
func (w *World) Connect(hotel string) *Integration {
	return w.ConnectAs(Connection{Hotel: hotel})
}

// ConnectAs connects a hotel as described.
func (w *World) ConnectAs(c Connection) *Integration {
	w.mu.Lock()
	i := w.connect(c)
	w.mu.Unlock()
	w.notify(i)
	return i
}

// connect is ConnectAs with w.mu held.
func (w *World) connect(c Connection) *Integration {
	if c.Name == "" {
		c.Name = "Keyrack test"
	}
	n := len(w.integrations) + 1
	r := fate(w.options.Seed, ofIntegration, n, 0)
	i := &Integration{
		world: w, number: n, named: lifecycle.Named{ID: guid(r), Name: c.Name},
		enterprise: w.enterprise(c.Hotel), created: w.now(),
		truth: truth{enabled: !c.Disabled},
	}
	first := token(r, i.named.ID)
	i.keys = []key{{token: lifecycle.NewToken(first)}}
	if c.Service != "" {
		i.service = lifecycle.Named{ID: guid(fate(w.options.Seed, ofService, n, 0)), Name: c.Service}
	}
	for _, name := range c.Portfolio {
		i.enterprise.hotels = append(i.enterprise.hotels, w.enterprise(name))
	}
	i.enterprise.integrations = append(i.enterprise.integrations, i)
	w.integrations = append(w.integrations, i)
	w.byID[i.named.ID] = i
	w.keys[identify(first)] = i
	w.stats.Changes++
	what := "connected"
	if c.Disabled {
		what = "connected, disabled"
	}
	w.note(LogEntry{Kind: Changed, Integration: n, What: what})
	if !c.Unannounced {
		w.tell(i, events.Event{
			Action:      lifecycle.IntegrationCreated,
			Enterprise:  i.enterprise.named,
			Service:     i.service,
			Requestor:   c.Requestor,
			AccessToken: i.keys[0].token,
			CreatedUtc:  i.created.UTC().Truncate(time.Second),
			IsEnabled:   lifecycle.FlagOf(!c.Disabled),
		})
	}
	if w.life != nil {
		w.life.begin(i)
	}
	return i
}

// ID returns the integration's identifier.
func (i *Integration) ID() string { return i.named.ID }

// Name returns the integration's name.
func (i *Integration) Name() string { return i.named.Name }

// Enterprise returns the integration's enterprise.
func (i *Integration) Enterprise() *Enterprise { return i.enterprise }

// Token returns the current token in clear, since it is made up.
func (i *Integration) Token() string {
	i.world.mu.Lock()
	defer i.world.mu.Unlock()
	return i.keys[len(i.keys)-1].token.Reveal()
}

// String names the integration by its number and identifier.
func (i *Integration) String() string {
	return fmt.Sprintf("integration %d (%s)", i.number, i.named.ID)
}

// Format writes what String returns, whatever the verb.
func (i *Integration) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, i.String()) }
