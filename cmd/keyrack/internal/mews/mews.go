// Package mews is a Mews of one's own: one handler that answers as the Connector API does,
// sends the webhooks, and lets hotels live by a control API, so that a program in any
// language can be tried against it.
//
//	a test ──POST /control/integrations/{id}/disable──▶ World ──IntegrationDisabled──▶ receiver
//	   └─────── what was sent, and how it was answered ◀──┘                               │
//	                                       POST /api/connector/v1/configuration/get ◀─────┘
//
// The World has a clock of its own. Every call that changes something moves it by a second,
// in which the change's webhook is sent, and returns what was sent in that second. Only
// POST /control/clock moves it further. So the same seed and the same calls give the same
// bytes, whatever the machine does meanwhile.
package mews

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// Step is how far a call moves the clock that changes something.
const Step = time.Second

// Options are the choices of a Mews.
type Options struct {
	Seed  uint64
	Start time.Time // where the clock begins; not zero
	// Lag is the longest time from a change to its webhook. Zero means half a Step, so that
	// the webhook is sent before the call that caused it returns.
	Lag time.Duration

	URL         string            // where the webhooks go
	Secret      lifecycle.Token   // comes with them, unless it is zero
	Transport   http.RoundTripper // carries them
	ClientToken lifecycle.Token   // of the application; zero: one is made up
}

// Mews is a handler. Make one with New. It is safe for concurrent use; calls of the control
// API are done one after another.
type Mews struct {
	world *mewstest.World
	mux   *http.ServeMux

	mu      sync.Mutex // one call of the control API at a time
	client  lifecycle.Token
	trouble trouble
	began   time.Time

	entries struct {
		sync.Mutex
		count int                 // of all so far
		last  []mewstest.LogEntry // keptWebhooks at least, if there are as many
	}
}

// keptWebhooks is how many attempts GET /control/webhooks shows, the last ones.
const keptWebhooks = 1000

// New makes a Mews without hotels.
func New(o Options) *Mews {
	lag := mewstest.Spread{Min: Step / 2, Max: Step / 2}
	if o.Lag > 0 {
		lag = mewstest.Spread{Min: 1, Max: o.Lag}
	}
	m := &Mews{mux: http.NewServeMux(), began: o.Start}
	m.world = mewstest.New(&mewstest.Options{
		Seed: o.Seed, Start: o.Start, Lag: lag, URL: o.URL, Secret: o.Secret, Transport: o.Transport,
		ClientToken: o.ClientToken, LogMost: -1, Observe: m.observe,
		Faults: mewstest.Faults{CopyAfter: mewstest.Spread{Min: time.Millisecond, Max: time.Millisecond}},
	})
	m.client = m.world.Connector().ClientToken()
	m.mux.Handle("/api/connector/v1/", m.world.Connector())
	m.control("GET /control/integrations", m.integrations)
	m.control("POST /control/integrations", m.connect)
	m.control("GET /control/integrations/{id}", m.integration)
	m.control("POST /control/integrations/{id}/{act}", m.act)
	m.control("GET /control/webhooks", m.webhooks)
	m.control("POST /control/webhooks/next", m.next)
	m.control("GET /control/connector", m.connector)
	m.control("POST /control/connector", m.setConnector)
	m.control("GET /control/clock", m.clock)
	m.control("POST /control/clock", m.setClock)
	m.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		m.answer(w, http.StatusNotFound, problem{"no such path; the Connector API is below /api/connector/v1/, and the control API is /control/integrations, /control/webhooks, /control/connector and /control/clock"})
	})
	return m
}

// observe keeps how attempts ended. The World is locked.
func (m *Mews) observe(e mewstest.LogEntry) {
	if _, ok := outcomeOf(e); !ok {
		return
	}
	m.entries.Lock()
	defer m.entries.Unlock()
	m.entries.count++
	m.entries.last = append(m.entries.last, e)
	if len(m.entries.last) >= 2*keptWebhooks {
		m.entries.last = slices.Clone(m.entries.last[keptWebhooks:])
	}
}

// ServeHTTP answers a request. Only one that is addressed to this machine is answered, so
// that no page of a foreign site can reach the hotels by a name of its own.
func (m *Mews) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !httpserver.IsLoopback(req.Host) {
		m.answer(w, http.StatusForbidden, problem{"the Host must be localhost or a loopback address"})
		return
	}
	m.mux.ServeHTTP(w, req)
}
