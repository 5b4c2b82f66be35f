package keyrack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keyrack-dev/keyrack/internal/annotation"
	"github.com/keyrack-dev/keyrack/internal/clock"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/due"
	"github.com/keyrack-dev/keyrack/internal/history"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/internal/notifier"
	"github.com/keyrack-dev/keyrack/internal/owncall"
	"github.com/keyrack-dev/keyrack/internal/probe"
	"github.com/keyrack-dev/keyrack/internal/seen"
	"github.com/keyrack-dev/keyrack/internal/striped"
	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/internal/watch"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Shorter names for what users need most.
type (
	// Verdict answers whether a token is still valid.
	Verdict = lifecycle.Verdict
	// Record is everything that is known about one integration.
	Record = lifecycle.Record
	// Token is an access token that cannot be printed by accident.
	Token = lifecycle.Token
	// Policy is what the application decides because Mews's documents do not say.
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
	// ErrNoToken: the integration has no token to issue.
	ErrNoToken = errors.New("keyrack: no token")
	// ErrNotFound: there is no such integration.
	ErrNotFound = store.ErrNotFound
	// ErrInvalid: an argument makes no sense.
	ErrInvalid = errors.New("keyrack: invalid argument")
)

// ErrFull: a delivery is about an integration that is not known, and there are as many as
// Options.MaxIntegrations allows. Nothing was stored.
var ErrFull = errors.New("keyrack: there are too many integrations to take in another one from a webhook")

// ErrNotActive: the verdict on the integration's token is not Valid, so the
// request was not sent, or a context of While ended. It comes wrapped in a
// *NotActiveError.
var ErrNotActive = errors.New("keyrack: the integration's token is not valid")

// NotActiveError holds the verdict for which a request was not sent or a context of
// While ended. It unwraps to ErrNotActive.
type NotActiveError struct{ Verdict Verdict }

func (e *NotActiveError) Error() string {
	return fmt.Sprintf("%v: %v (%v)", ErrNotActive, e.Verdict.Status, e.Verdict.Reason)
}

// Unwrap returns ErrNotActive.
func (e *NotActiveError) Unwrap() error { return ErrNotActive }

// Rack holds the keys of all integrations. Make one with Open, and Close it. All
// methods are safe for concurrent use.
type Rack struct {
	given      store.Store // as Open got it
	store      store.Store // the same, contained
	options    Options
	agreed     atomic.Pointer[rules]
	log        *slog.Logger
	tell       *teller // nil where nobody wants to know
	sealer     seal.Sealer
	digester   seal.Digester
	clock      clock.Clock
	view       *view.View
	locks      *striped.Lock     // of integrations: what this instance decides does not conflict with itself
	news       notifier.Notifier // of the journal
	answers    *annotation.Notes
	seen       *seen.Actions
	aside      view.Aside // whose records cannot be read
	unopenable view.Aside // whose tokens do not open
	spelled    join.Spellings
	schedule   *probe.Schedule // nil without a prober
	due        *due.Book       // what time alone will change
	watches    *watch.Watches  // the contexts of While
	trouble    atomic.Bool     // Mews refuses this instance's probes, whatever the token
	watched    chan seenAnswer
	ruled      time.Time // when the store's settings were last looked at; tail's alone
	misruled   bool      // they could not be read, which was told

	trials    owncall.Trials // where there is no prober
	full      atomic.Int64   // when AlarmFull was raised last, in ns since the Unix epoch
	forbidden atomic.Int64   // 401s of the application's calls that lacked a permission

	sync syncStatus
	back // what is known of a store that went back

	mu      sync.Mutex
	running map[string]bool             // subscriptions
	closed  atomic.Bool                 // set with mu held
	launch  func(func(context.Context)) // runs something until Close

	stop func()
	done sync.WaitGroup
}

// seenAnswer is an answer that the application got.
type seenAnswer struct {
	digest     lifecycle.Digest
	generation uint64
	status     int
	began      time.Time     // by the Rack's clock, at the earliest
	slack      time.Duration // how much later it may have been
	operation  string
}

// holds reports whether a record knows a token.
func holds(r *Record, d lifecycle.Digest) bool {
	_, ok := r.Key(d)
	return ok
}

// currentOf returns the digest of a record's current token; zero for none.
func currentOf(r *Record) lifecycle.Digest {
	k, _ := r.CurrentKey()
	return k.Digest
}

// afterwards returns a context for what has to be done once ctx has ended.
func (r *Rack) afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), r.options.storeTimeout())
}

// start runs a subscription in the background.
func (r *Rack) start(name string, run func(context.Context)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	if r.running[name] {
		return fmt.Errorf("%w: the subscription is running already", ErrInvalid)
	}
	r.running[name] = true
	r.launch(run)
	return nil
}

// wordLimit is how much a person may say, in bytes: as much as Body shows of it.
const wordLimit = 256

// checkID returns ErrInvalid for anything that is not an identifier.
func checkID(id string) error {
	if len(id) > 128 || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return fmt.Errorf("%w: an identifier is at most 128 bytes of UTF-8 without control characters", ErrInvalid)
	}
	return nil
}

// visit readies an integration that a guest is told to touch: it has the schedule ask about
// it, and does what Open has done for all where this is no guest.
func (r *Rack) visit(ctx context.Context, id string) error {
	if !r.options.Guest || id == "" || lifecycle.CanonicalID(id) != id {
		return nil
	}
	if r.schedule != nil {
		r.schedule.Tell(id)
	}
	if r.aside.Has(id) && len(r.spelled.Of(id)) > 0 {
		return r.join(ctx, id)
	}
	return nil
}

// lock takes the lock of an integration that is to be touched.
func (r *Rack) lock(ctx context.Context, id string) (striped.Held, error) {
	if err := r.visit(ctx, id); err != nil {
		return nil, err
	}
	lock, err := r.locks.Lock(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("keyrack: waiting for other evidence: %w", err)
	}
	return lock, nil
}

// misspells reports whether a record names an enterprise or a service in another spelling
// than its canonical one.
func misspells(record *Record) bool {
	return lifecycle.CanonicalID(record.Enterprise.ID) != record.Enterprise.ID || lifecycle.CanonicalID(record.Service.ID) != record.Service.ID
}

// back is what a Rack knows of a store that goes back under it.
type back struct {
	history *history.Reader                  // of the journal
	adrift  atomic.Bool                      // the store went back, and the view has not been read anew since
	noticed chan struct{}                    // gets a value when that is seen elsewhere than by who follows the journal
	forks   atomic.Pointer[[]store.Position] // where histories parted, each time
	lost    map[string]Record                // what nobody has written down yet; of who follows the journal alone
	// writeDown takes in evidence about an integration that arrives now.
	writeDown func(ctx context.Context, integration string, e lifecycle.Evidence) error
}

func newBack() back {
	return back{noticed: make(chan struct{}, 1), lost: make(map[string]Record)}
}

// fork returns how often the store went back, and up to which position its journal is still
// the one that was read when it had done so since times.
func (b *back) fork(since int) (at store.Position, count int) {
	forks := b.forks.Load()
	if forks == nil || len(*forks) <= since {
		return math.MaxUint64, since
	}
	return slices.Min((*forks)[since:]), len(*forks)
}

// parted notes where histories part.
func (b *back) parted(at store.Position) {
	var forks []store.Position
	if before := b.forks.Load(); before != nil {
		forks = *before
	}
	forks = append(slices.Clip(forks), at)
	b.forks.Store(&forks)
}

// sameEntry reports whether two ids may be those of one entry. A zero one is not known.
func sameEntry(a, b store.EntryID) bool { return a == b || a.IsZero() || b.IsZero() }

// shown is a verdict as callers get it.
func (r *Rack) shown(v Verdict) Verdict {
	if r.adrift.Load() {
		return unavailable(v)
	}
	return v
}

func unavailable(v Verdict) Verdict {
	v.Status, v.Reason, v.Assumed = lifecycle.Unknown, lifecycle.ReasonUnavailable, false
	return v
}

// keepNewSeen has the store keep which actions were seen, where that is news.
func (r *Rack) keepNewSeen(ctx context.Context) {
	if !r.seen.Fresh() || r.options.Guest {
		return
	}
	ctx, cancel := r.afterwards(ctx)
	defer cancel()
	if err := r.seen.Keep(ctx); err != nil {
		r.log.WarnContext(ctx, "which actions were seen is not kept yet", "error", err)
	}
}

// version is a record with the id of the entry that made its version; zero if nobody knows.
type version struct {
	Record
	made    store.EntryID
	foreign bool // read from the store, where other instances may have added to it
}

// fullEvery is how often AlarmFull is raised at most.
const fullEvery = 10 * time.Minute

// defaultMaxIntegrations is far above what one application has, and takes less memory than the
// smallest machine that it is run on.
const defaultMaxIntegrations = 100_000

func (o *Options) maxIntegrations() int {
	if o.MaxIntegrations < 0 {
		return math.MaxInt
	}
	return cmp.Or(o.MaxIntegrations, defaultMaxIntegrations)
}

// admits returns ErrFull for a delivery about a new integration if there are too many. What
// another instance has taken in counts once this one has read it. The name of a nameless one
// takes its place.
func (r *Rack) admits(ctx context.Context, e *lifecycle.Evidence) error {
	if e.Kind != lifecycle.KindDelivery || r.view.Len() < r.options.maxIntegrations() || r.view.Record(e.Integration.ID) != nil {
		return nil
	}
	if owner := r.view.Owner(e.Token); owner != nil && join.IsNameless(owner.ID) {
		return nil
	}
	now := time.Now().UnixNano()
	if last := r.full.Load(); (last == 0 || now-last >= int64(fullEvery)) && r.full.CompareAndSwap(last, now) {
		r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmFull})
	}
	return ErrFull
}
