// Package keyrack knows, for every hotel that is connected to an application
// through Mews, whether its access token is still valid. In come the webhooks that
// Mews sends when a hotel connects, disables, cancels, reinstates or deletes an
// integration or regenerates its token; out comes, at every outbound call and
// without I/O, a [Verdict] with its reason.
//
// Webhooks come twice, late, out of order, or never. So the answer has three
// values, and only Valid may be used as true: where the evidence is ambiguous the
// answer is Unknown, with the best guess beside it, and never silently wrong.
//
//	rack, err := keyrack.Open(ctx, memstore.New(nil), nil)
//	...
//	webhooks, err := rack.Handler(secrets, nil)
//	http.ListenAndServe("127.0.0.1:8080", webhooks)
//	...
//	if rack.Check(token).Active() { ... }
//
// A [Rack] stands on a store ([github.com/keyrack-dev/keyrack/store]); what the
// evidence means is decided in [github.com/keyrack-dev/keyrack/lifecycle].
package keyrack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/notifier"
	"github.com/keyrack-dev/keyrack/internal/probe"
	"github.com/keyrack-dev/keyrack/internal/striped"
	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// What users need most, by shorter names.
type (
	// Verdict answers whether a token is still valid.
	Verdict = lifecycle.Verdict
	// Record is all that is known of one integration.
	Record = lifecycle.Record
	// Token is an access token that cannot be printed by accident.
	Token = lifecycle.Token
	// Policy is what the application decides where Mews's documents are silent.
	Policy = lifecycle.Policy
)

// NewToken wraps a token, or a secret, so that it cannot be printed by accident.
func NewToken(s string) Token { return lifecycle.NewToken(s) }

var (
	// ErrClosed: the Rack was closed.
	ErrClosed = errors.New("keyrack: the rack is closed")
	// ErrNoSealer: the store outlives the process, so Open needs Options.Sealer.
	ErrNoSealer = errors.New("keyrack: a durable store needs a sealer")
	// ErrSealer: the sealer is not the one with which the store was begun.
	ErrSealer = digestkey.ErrSealer
	// ErrNoToken: the integration has no token to hand out.
	ErrNoToken = errors.New("keyrack: no token")
	// ErrNotFound: there is no such integration.
	ErrNotFound = store.ErrNotFound
	// ErrInvalid: an argument cannot be meant so.
	ErrInvalid = errors.New("keyrack: invalid argument")
)

// MaxStoreTimeout is the longest that one piece of evidence may wait for the
// store: below the 5 seconds within which Mews wants its answer.
const MaxStoreTimeout = 4 * time.Second

// Options are the choices of a Rack. The zero value is a good one.
type Options struct {
	// Policy is what the application decides where Mews's documents are silent.
	Policy Policy
	// Horizon is the time within which Mews delivers whatever it will deliver,
	// repetitions included. 0 means lifecycle.DefaultHorizon.
	Horizon time.Duration
	// StoreTimeout bounds the work of the store on one piece of evidence. 0, or
	// more than it, means MaxStoreTimeout.
	StoreTimeout time.Duration
	// Sealer seals tokens and bodies before the store sees them. nil means, for a
	// store that ends with the process, a random key; for others ErrNoSealer.
	Sealer seal.Sealer
	// Prober asks Mews whether a token works; connector.New makes one. With a
	// prober every delivery is followed by a question, Valid never outlives its
	// lease, and a lost webhook is found out. Without one the deliveries, and what
	// the application reports, are all there is.
	Prober connector.Prober
	// ProbeRate is the budget of probes of all integrations together, a second.
	// 0 means 10.
	ProbeRate float64
	// Poll is how often the journal is looked at for what other instances committed.
	// 0 means DefaultPoll. A store that gives News is looked at then, too.
	Poll time.Duration
	// Takeover is after how long another instance takes over the probes and
	// subscriptions of one that died. 0 means DefaultTakeover.
	Takeover time.Duration
	// Telemetry, if set, is told what the Rack does: for metrics and traces, and for
	// alarms that a person should look at.
	Telemetry *Telemetry
	// Retention says how much of the journal is kept.
	Retention Retention
	// KeepRequestor keeps the names and email addresses of the persons who
	// requested an integration, in the sealed bodies of the journal. Without it
	// they are taken out before anything is stored.
	KeepRequestor bool
	// Logger gets what a person should see, never a secret. nil: nothing is logged.
	Logger *slog.Logger
}

func (o *Options) horizon() time.Duration {
	if o.Horizon > 0 {
		return o.Horizon
	}
	return lifecycle.DefaultHorizon
}

func (o *Options) storeTimeout() time.Duration {
	if o.StoreTimeout > 0 && o.StoreTimeout < MaxStoreTimeout {
		return o.StoreTimeout
	}
	return MaxStoreTimeout
}

// DefaultTakeover is after how long another instance takes over what one did that died.
const DefaultTakeover = 30 * time.Second

func (o *Options) takeover() time.Duration {
	if o.Takeover > 0 {
		return o.Takeover
	}
	return DefaultTakeover
}

func (o *Options) logger() *slog.Logger {
	if o.Logger != nil {
		return o.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// Rack holds the keys of all integrations. Make one with Open, and Close it. All
// methods are safe for concurrent use.
type Rack struct {
	given    store.Store // as it was given
	store    store.Store // the same, contained
	options  Options
	policy   Policy
	log      *slog.Logger
	tell     *teller // nil where nobody wants to know
	sealer   seal.Sealer
	digester seal.Digester
	clock    clock
	view     *view.View
	locks    *striped.Lock     // of integrations: what this instance decides does not conflict with itself
	news     notifier.Notifier // of the journal
	answers  answers
	seen     seen
	schedule *probe.Schedule // nil without a prober
	watched  chan seenAnswer

	sync syncStatus

	mu      sync.Mutex
	running map[string]bool // subscriptions
	closed  bool
	launch  func(func(context.Context)) // runs something until Close

	stop func()
	done sync.WaitGroup
}

// Open makes a Rack on a store, reads the store's integrations into memory and
// starts what runs in the background: a few goroutines, which Close ends and
// waits for. The context bounds the opening alone. nil options mean the zero Options. The store
// stays the caller's, to be closed after the Rack.
func Open(ctx context.Context, s store.Store, options *Options) (*Rack, error) {
	r := &Rack{clock: newClock(), view: view.New(), locks: striped.New(), answers: newAnswers(), watched: make(chan seenAnswer, 256)}
	if options != nil {
		r.options = *options
	}
	r.policy, r.log = r.options.Policy, r.options.logger()
	r.tell = newTeller(r.options.Telemetry, r.log)
	r.given, r.store = s, guard.Store(s, r.tell.watch())
	if r.options.Prober != nil && r.policy.MaxAge <= 0 {
		r.policy.MaxAge = defaultMaxAge
	}
	if r.options.Prober != nil && r.policy.Levels == 0 {
		r.policy.Levels = 2 // a question costs less than a mistake
	}
	if err := r.unseal(ctx); err != nil {
		return nil, err
	}
	asked := r.clock.now()
	_, last, err := r.store.Bounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("keyrack: reading the store: %w", err)
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.keepSeen(ctx); err != nil {
		return nil, fmt.Errorf("keyrack: reading the store: %w", err)
	}
	r.sync.note(last, asked, r.clock.now(), nil)
	background, stop := context.WithCancel(context.Background())
	r.stop, r.running = stop, make(map[string]bool)
	r.launch = func(run func(context.Context)) { r.done.Go(func() { run(background) }) }
	if r.options.Prober != nil {
		r.schedule = newSchedule(r) // before anything runs that looks whether there is one
	}
	r.launch(r.noteAnswers)
	r.launch(func(ctx context.Context) { r.tail(ctx, last) })
	r.launch(r.noteWatched)
	r.launch(r.housekeep)
	if r.schedule != nil {
		r.launch(r.schedule.Lead)
		r.launch(r.schedule.Run)
	}
	return r, nil
}

// Store returns the store that the Rack was opened on, for what package atrest does
// with a store.
func (r *Rack) Store() store.Store { return r.given }

// Close ends the background work, after it has noted in the journal how the latest
// deliveries were answered, and waits for it: handlers of subscriptions see their
// contexts end. So none of them, and no other function that the Rack was given, may
// call it. Deliveries that are under way are finished by whoever made them. Check
// and the other questions go on answering from memory.
func (r *Rack) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.done.Wait()
	return nil
}

// afterwards returns a context for what is left to be done when a work's own context
// has ended.
func (r *Rack) afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), r.options.storeTimeout())
}

// start runs a subscription in the background.
func (r *Rack) start(name string, run func(context.Context)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if r.running[name] {
		return fmt.Errorf("%w: the subscription is running already", ErrInvalid)
	}
	r.running[name] = true
	r.launch(run)
	return nil
}

// unseal gets the key of the token digests from the store, or begins the store
// with a new one. That the sealer opens it proves that it is the right one.
func (r *Rack) unseal(ctx context.Context) error {
	r.sealer = r.options.Sealer
	if r.sealer == nil {
		if v, ok := r.store.(store.Volatile); !ok || !v.Volatile() {
			return ErrNoSealer
		}
		r.sealer = seal.Ephemeral()
	}
	r.sealer = guard.Sealer(r.sealer)
	if err := digestkey.Begin(ctx, r.store, r.sealer); err != nil {
		return err
	}
	var err error
	r.digester, err = digestkey.Open(ctx, r.store, r.sealer)
	return err
}
