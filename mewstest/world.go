package mewstest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Options are the choices of a World. The zero value is a Mews without faults whose
// receiver is not reachable yet.
type Options struct {
	// Seed determines everything random.
	Seed uint64

	// Start gives the World a clock of its own, which begins at Start and which only
	// [World.Advance] moves. Then everything depends only on the seed and the order of
	// the calls, in any program. Zero means the clock of package time.
	Start time.Time

	// Receiver gets the webhooks, by direct calls. See also [World.DeliverTo].
	Receiver http.Handler
	// URL is where the webhooks go over HTTP if there is no Receiver. With one, its
	// path and query alone matter. Empty means "http://receiver.test/webhooks/mews".
	URL string
	// Secret is sent as Token in the URL's query, unless it is zero.
	Secret lifecycle.Token
	// Transport carries what goes to URL. nil means http.DefaultTransport.
	Transport http.RoundTripper

	// Lag is the time from a change to its first request. Zero means 0 to 5 minutes.
	Lag Spread
	// Attempts is how often Mews tries before it discards a message. 0 means 3.
	Attempts int
	// Gap is the time from a failed attempt to the next. Zero means 2 to 5 minutes.
	Gap Spread
	// Manual: nothing is sent but by [Message.Deliver], until [World.Release].
	Manual bool

	Faults   Faults
	Readings Readings

	// ClientToken is the partner's own token, which the Connector API demands. Zero
	// means a made-up one: see [Connector.ClientToken].
	ClientToken lifecycle.Token
	// Latency is how long the Connector API takes. Zero means no time.
	Latency Spread
	// Troubles happen to the Connector API's answers at random.
	Troubles []Chance
	// NoRetryAfter: the Connector API sends its own 429 without Retry-After.
	NoRetryAfter bool

	// Operations, if set, answers all operations but configuration/get. A status of 0
	// leaves the answer to the World: three objects without properties for */getAll,
	// and an empty object otherwise. The body is encoded as JSON. Operations may use
	// the World.
	Operations func(Operation) (status int, body any)

	// Tick is the time from one look of a [Watch] at all integrations to the next. What
	// changes by time alone, such as evidence that gets too old, is seen no sooner. 0 means 1 hour.
	Tick time.Duration

	// LogMost bounds how many entries of the log are kept, the last ones. 0 means
	// 65536; below 0 none are.
	LogMost int
	// KeepBodies keeps the bodies that were sent in the log, tokens included: see
	// [Replay].
	KeepBodies bool
	// Observe, if set, gets every entry of the log when it is made. It must be
	// quick, and must not call the World.
	Observe func(LogEntry)
}

func (o *Options) url() string {
	if o.URL == "" {
		return "http://receiver.test/webhooks/mews"
	}
	return o.URL
}

func (o *Options) lag() Spread { return o.Lag.or(Spread{0, 5 * time.Minute}) }
func (o *Options) gap() Spread { return o.Gap.or(Spread{2 * time.Minute, 5 * time.Minute}) }

func (o *Options) attempts() int {
	if o.Attempts > 0 {
		return o.Attempts
	}
	return 3
}

func (o *Options) tick() time.Duration {
	if o.Tick > 0 {
		return o.Tick
	}
	return time.Hour
}

// World is a Mews with its hotels. All methods are safe for concurrent use. It is
// formatted as its seed.
type World struct {
	options   Options
	began     time.Time
	connector *Connector
	own       atomic.Pointer[time.Time] // the World's own clock; nil: package time's
	advancing sync.Mutex

	mu           sync.Mutex
	agenda       agenda
	sender       Sender
	faults       Faults
	manual       bool
	enterprises  map[string]*Enterprise // by name
	integrations []*Integration
	byID         map[string]*Integration
	keys         map[keyID]*Integration
	held         []*Message
	fates        []Fate     // of the coming messages
	overtakable  []*Message // messages that wait for the next one to overtake them
	forged       int
	pending      int           // what Settle waits for
	settled      chan struct{} // closed when pending gets 0
	life         *life
	watches      []*Watch
	log          log
	stats        Stats
}

// New makes a World without hotels. nil options mean the zero Options.
func New(opts *Options) *World {
	var options Options
	if opts != nil {
		options = *opts
	}
	w := &World{
		options:     options,
		faults:      options.Faults,
		manual:      options.Manual,
		enterprises: map[string]*Enterprise{},
		byID:        map[string]*Integration{},
		keys:        map[keyID]*Integration{},
		log:         newLog(options.LogMost),
	}
	w.sender = Sender{
		Receiver: options.Receiver, URL: options.url(), Secret: options.Secret, Transport: options.Transport,
	}
	if options.URL == "" && options.Transport == nil {
		w.sender.Transport = Transport(nil) // no network unless it is asked for
	}
	if !options.Start.IsZero() {
		w.own.Store(&options.Start)
	}
	w.began = w.now()
	w.connector = newConnector(w)
	return w
}

// DeliverTo sends webhooks to another receiver from now on, such as one that was
// restarted, or one that could not be made before the World. nil is a receiver that is
// down, unless Options.URL is set.
func (w *World) DeliverTo(receiver http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sender.Receiver = receiver
}

// SetFaults replaces the faults from now on.
func (w *World) SetFaults(f Faults) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = f
}

// Connector returns the World's Connector API.
func (w *World) Connector() *Connector { return w.connector }

// Integrations returns all integrations so far, including deleted ones, in the order in
// which they were connected.
func (w *World) Integrations() iter.Seq[*Integration] { return slices.Values(w.all()) }

func (w *World) all() []*Integration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.integrations[:len(w.integrations):len(w.integrations)]
}

// Integration returns the integration with an identifier, or nil.
func (w *World) Integration(id string) *Integration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.byID[id]
}

// Works reports whether a token works at this moment, whichever integration it belongs
// to.
func (w *World) Works(token string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.keys[identify(token)]
	return i != nil && i.accepts(token) == ""
}

// Settle waits until everything that was to be sent has been delivered, lost or
// discarded. Messages that a script holds, or that wait to be overtaken, do not count;
// life counts if Rates.Most bounds it. A World with a clock of its own advances it as
// far as needed. The error is the context's.
func (w *World) Settle(ctx context.Context) error {
	for {
		w.mu.Lock()
		settled := w.settled
		idle := w.pending == 0
		next := w.untilNext()
		w.mu.Unlock()
		if idle {
			return nil
		}
		if next > 0 && ctx.Err() == nil {
			w.Advance(next)
			continue
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await adds to the number of things that Settle waits for. w.mu is held.
func (w *World) await(n int) {
	if w.pending == 0 && n > 0 {
		w.settled = make(chan struct{})
	}
	w.pending += n
	if w.pending == 0 && n < 0 {
		close(w.settled)
	}
}

// Stats returns counts of what has happened so far.
func (w *World) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats.clone()
}

// notify has all watches look at an integration. w.mu is not held.
func (w *World) notify(i *Integration) {
	if i == nil {
		return
	}
	w.mu.Lock()
	watches := w.watches
	w.mu.Unlock()
	for _, watch := range watches {
		watch.sample(i)
	}
}

// notifySoon calls notify in a moment, when those who learned something have acted on
// it. w.mu is held.
func (w *World) notifySoon(i *Integration) {
	if i != nil && len(w.watches) > 0 {
		w.after(time.Millisecond, func() { w.notify(i) })
	}
}

// String names the World by its seed.
func (w *World) String() string { return fmt.Sprintf("mewstest.World(seed %d)", w.options.Seed) }

// Format writes what String returns, whatever the verb, because a World holds tokens.
func (w *World) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, w.String()) }
