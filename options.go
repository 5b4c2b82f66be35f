package keyrack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/settings"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
)

const (
	maxStoreTimeout = 4 * time.Second // Mews gives up on an answer after 5 seconds
	defaultTakeover = 30 * time.Second
	defaultPatience = 2 * time.Minute
	defaultHorizon  = 30 * time.Minute // above the time over which Mews repeats a webhook
)

// Options are the choices of a Rack. The zero value is a good one.
type Options struct {
	// Policy is what the application decides because Mews's documents do not say. The zero
	// Policy follows the store: see SetDefaults. ProveSince is the Rack's own and must be 0: it
	// follows from Prober and TrustDeliveries. AssumeAfter must not exceed MaxAge, since a
	// guess is no older than the evidence.
	Policy Policy
	// Horizon is how long Mews may take to deliver a webhook, repetitions included. 0
	// means what the store has, or else 30 minutes; otherwise it is from 1 ms to 30 days.
	Horizon time.Duration
	// StoreTimeout bounds the work of the store on one piece of evidence. 0, and
	// anything longer, means 4 s: Mews gives up on an answer after 5 s.
	StoreTimeout time.Duration
	// Sealer seals tokens and bodies before the store sees them. nil means a random key
	// if the store ends with the process, and ErrNoSealer otherwise.
	Sealer seal.Sealer
	// Prober asks Mews whether a token works; connector.New makes one. With a prober,
	// every delivery is followed by a probe, Valid never outlives Policy.MaxAge (0
	// means a day then), and a lost webhook is noticed. Without one, only deliveries and
	// the application's own reports count.
	Prober connector.Prober
	// TrustDeliveries, with a prober, takes a token that a delivery or an import brought
	// for valid before Mews has confirmed it. By default it is Unknown (unproved) until a
	// probe has named the integration's enterprise. Otherwise anyone with the webhook's
	// secret could have one hotel's token issued as another's.
	TrustDeliveries bool
	// ProbeRate, with a prober, is the most probes a second, for all integrations together,
	// from one a day to 1000. 0 means 10.
	ProbeRate float64
	// Poll is how often the Rack looks in the journal for what other instances have
	// committed, from 1 ms to a day. 0 means 1 s. With a store that gives News it also
	// looks then.
	Poll time.Duration
	// Takeover is how long it takes until another instance takes over the probes and
	// subscriptions of one that died, from 100 ms to a day. 0 means 30 s.
	Takeover time.Duration
	// Patience is how long a context of While outlives an Unknown, from 1 ms to a day. 0
	// means 2 minutes.
	Patience time.Duration
	// PassLabels gives an integration that takes the place of a deleted or canceled one the
	// labels of that one, except for keys that it has itself. Instances on one store need the
	// same value: any of them may be the one that does it.
	PassLabels bool
	// Telemetry, if set, is told what the Rack does: for metrics and traces, and for
	// alarms that a person should look at.
	Telemetry *Telemetry
	// Retention says how much of the journal is kept. The zero Retention follows the store.
	Retention Retention
	// MaxIntegrations is how many integrations there may be before a delivery about a new one is
	// refused, with ErrFull and 503, and AlarmFull is raised. Anyone with the webhook's secret
	// can make integrations up, and each takes about 2.2 kB of every instance's memory. Known
	// ones, imports and Connect are not refused. 0 means 100,000; a negative number no bound.
	MaxIntegrations int
	// KeepRequestor keeps the names and email addresses of the persons who requested an
	// integration, in the sealed bodies of the journal. By default they are taken out
	// before anything is stored.
	KeepRequestor bool
	// SetDefaults makes what is zero in Horizon, Retention and Policy mean its default for
	// all instances on the store. These three lie in the store, since they decide over
	// everybody's data: what was set last, by whichever instance, counts for all, and by
	// default what is zero follows that. A difference is logged.
	SetDefaults bool
	// Guest is for what works on a store beside the application, such as a support tool. A
	// guest touches only what it is told to: it sets nothing for others, trims and erases
	// nothing by itself, asks Mews about nothing but what [Rack.Probe] names, and verdicts
	// are those that the application would give. Its Retention is for its own [Rack.Trim]; what
	// is zero there is the store's.
	Guest bool
	// Logger gets what a person should see, never a secret. nil: nothing is logged.
	Logger *slog.Logger
}

// duration is an option that is a length of time: 0, which is the default, or something
// from least to most.
type duration struct {
	name               string
	value, least, most time.Duration
}

func (d duration) check() error {
	if d.value != 0 && (d.value < d.least || d.value > d.most) {
		return fmt.Errorf("%w: %s is %v; it must be from %v to %v, or 0 for the default", ErrInvalid, d.name, d.value, d.least, d.most)
	}
	return nil
}

const (
	day  = 24 * time.Hour
	year = 365 * day // no option needs longer, and no sum of a time and ten of them overflows

	leastProbeRate = 1. / 86400 // a second: one a day
	mostProbeRate  = 1000
)

// check returns ErrInvalid for values that make no sense: it names the option, its value and
// what is allowed.
func (o *Options) check() error {
	p := &o.Policy
	for _, d := range []duration{
		{"Options.Horizon", o.Horizon, time.Millisecond, 30 * day},
		{"Options.StoreTimeout", o.StoreTimeout, time.Millisecond, year},
		{"Options.Poll", o.Poll, time.Millisecond, day},
		{"Options.Takeover", o.Takeover, 100 * time.Millisecond, day},
		{"Options.Patience", o.Patience, time.Millisecond, day},
		{"Options.Policy.MaxAge", p.MaxAge, time.Millisecond, 10 * year},
		{"Options.Policy.CanceledFor", p.CanceledFor, time.Millisecond, 10 * year},
		{"Options.Policy.Grace", p.Grace, time.Millisecond, 10 * year},
		{"Options.Policy.AssumeAfter", p.AssumeAfter, time.Millisecond, 10 * year},
		{"Options.Retention.Age", max(0, o.Retention.Age), time.Minute, 100 * year},
	} {
		if err := d.check(); err != nil {
			return err
		}
	}
	oldest := maxAge(p, o.Prober != nil)
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: Options."+format, append([]any{ErrInvalid}, args...)...)
	}
	switch {
	case o.Prober != nil && absent(o.Prober):
		return refuse("Prober is a nil %T; give one that was made, or leave Prober nil if Mews must not be asked", o.Prober)
	case o.Sealer != nil && absent(o.Sealer):
		return refuse("Sealer is a nil %T; give one that was made, for example with seal.NewRing", o.Sealer)
	case o.ProbeRate != 0 && !(o.ProbeRate >= leastProbeRate && o.ProbeRate <= mostProbeRate): // NaN too
		return refuse("ProbeRate is %v; it must be from one a day (%.1g) to %d a second, or 0 for the default", o.ProbeRate, leastProbeRate, mostProbeRate)
	case o.TrustDeliveries && o.Prober == nil:
		return refuse("TrustDeliveries is true without a Prober; deliveries are trusted then anyway, so leave it false")
	case o.ProbeRate != 0 && o.Prober == nil:
		return refuse("ProbeRate is %v without a Prober, so there are no probes; set Prober, or leave it 0", o.ProbeRate)
	case p.ProveSince != 0:
		return refuse("Policy.ProveSince is %d; the Rack sets it, by Prober and TrustDeliveries, so leave it 0", p.ProveSince)
	case o.Prober != nil && p.MaxAge != 0 && p.MaxAge < settings.LeastMaxAge:
		return refuse("Policy.MaxAge is %v; with a prober it must be at least %v, the time between two probes of an integration", p.MaxAge, settings.LeastMaxAge)
	case p.Levels < 0 || p.Levels > 2:
		return refuse("Policy.Levels is %d; it must be 1 or 2, or 0 for the default", p.Levels)
	case p.Canceled > lifecycle.CanceledAsk:
		return refuse("Policy.Canceled is %d; it must be CanceledInvalid, CanceledUsable or CanceledAsk", p.Canceled)
	case p.Reinstated > lifecycle.Yes:
		return refuse("Policy.Reinstated is %d; it must be Unset, No or Yes", p.Reinstated)
	case p.Canceled != lifecycle.CanceledUsable && p.CanceledFor != 0:
		return refuse("Policy.CanceledFor is %v; it goes with Policy.Canceled = CanceledUsable alone, so leave it 0", p.CanceledFor)
	case !p.Assume && p.AssumeAfter != 0:
		return refuse("Policy.AssumeAfter is %v; it goes with Policy.Assume = true alone, so leave it 0", p.AssumeAfter)
	case oldest > 0 && p.AssumeAfter > oldest:
		return refuse("Policy.AssumeAfter is %v, above Policy.MaxAge (%v), when nothing is assumed anymore; choose a shorter time, or a longer MaxAge", p.AssumeAfter, oldest)
	}
	return nil
}

// maxAge returns the MaxAge of a policy, or its default; 0 means for ever.
func maxAge(p *Policy, asks bool) time.Duration {
	if asks && p.MaxAge == 0 {
		return settings.DefaultMaxAge
	}
	return p.MaxAge
}

// absent reports whether an interface that is not nil holds a nil pointer, map, function or
// channel, which would panic when it is first used.
func absent(v any) bool {
	switch of := reflect.ValueOf(v); of.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan:
		return of.IsNil()
	}
	return false
}

func (o *Options) storeTimeout() time.Duration {
	if o.StoreTimeout > 0 && o.StoreTimeout < maxStoreTimeout {
		return o.StoreTimeout
	}
	return maxStoreTimeout
}

func (o *Options) takeover() time.Duration {
	if o.Takeover > 0 {
		return o.Takeover
	}
	return defaultTakeover
}

func (o *Options) logger() *slog.Logger {
	if o.Logger != nil {
		return o.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// Retention says how much of the journal is kept. Verdicts do not need the journal: they
// rest on the record. What is left of the journal still folds to the record, from a
// snapshot of it as it was before the oldest entry that is left.
type Retention struct {
	// Age is how long entries are kept: a minute or longer. 0 means 400 days, and a
	// negative age for ever.
	Age time.Duration
	// Entries is how many entries are kept of one integration, and of the deliveries
	// that name none. 0 means 1000, and a negative number all. Entries that say who got a
	// token do not count, up to ten times that number.
	Entries int
}

const (
	defaultRetentionAge     = 400 * 24 * time.Hour
	defaultRetentionEntries = 1000
)

// limits returns the time before which entries are no longer kept, 0 if there is none,
// and how many are kept.
func (t Retention) limits(now lifecycle.Instant) (before lifecycle.Instant, entries int) {
	age, entries := t.Age, t.Entries
	if age == 0 {
		age = defaultRetentionAge
	}
	if age > 0 {
		before = lifecycle.At(now.Time().Add(-age))
	}
	if entries == 0 {
		entries = defaultRetentionEntries
	}
	return before, entries
}

// rules are what counts for all instances on a store.
type rules struct {
	settings settings.Settings // as they lie in the store
	policy   Policy
	horizon  time.Duration
	asks     bool // somebody asks Mews
}

func (r *Rack) rules() *rules { return r.agreed.Load() }

// follow takes up settings of the store.
func (r *Rack) follow(ctx context.Context, s settings.Settings) error {
	o := &r.options
	asks, trusts := o.Prober != nil, o.TrustDeliveries
	if o.Guest {
		asks, trusts = s.Asks, s.Trusts
	}
	policy, err := s.InForce(ctx, r.store, r.clock.Instant(), asks, trusts, o.Guest)
	if err != nil {
		return err
	}
	next := rules{settings: s, policy: policy, horizon: cmp.Or(s.Horizon, defaultHorizon), asks: asks}
	r.agreed.Store(&next)
	return nil
}

// followEvery is how often an instance looks for what others have set.
const followEvery = time.Minute

// followRules takes up what other instances have set since. What fails is tried again.
func (r *Rack) followRules(ctx context.Context, now time.Time) {
	if now.Sub(r.ruled) < followEvery {
		return
	}
	r.ruled = now
	s, err := settings.Read(ctx, r.store, r.sealer)
	if errors.Is(err, settings.ErrUnread) {
		r.unruled(ctx, err)
	}
	was := r.rules().settings
	if err != nil {
		return
	}
	r.misruled = false
	if s == was || r.follow(ctx, s) != nil {
		return
	}
	if d := settings.Differences(was, s); len(d) > 0 {
		r.log.WarnContext(ctx, "another instance has changed the settings of all; this one follows", d...)
	}
	for record := range r.view.All { // when what is due goes by the rules
		r.touch(record.ID)
	}
}

// retained is how much of the journal Trim keeps.
func (r *Rack) retained() Retention {
	s := &r.rules().settings
	kept := Retention{Age: s.Age, Entries: s.Entries}
	if own := r.options.Retention; r.options.Guest {
		kept.Age, kept.Entries = cmp.Or(own.Age, kept.Age), cmp.Or(own.Entries, kept.Entries)
	}
	return kept
}

// unruled tells that the settings in the store cannot be read, once until they can.
func (r *Rack) unruled(ctx context.Context, err error) {
	if r.misruled {
		return
	}
	r.misruled = true
	r.log.ErrorContext(ctx, "the settings in the store cannot be read; this instance goes by what it has", "error", err)
	r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmUnreadable})
}
