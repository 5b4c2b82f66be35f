package keyrack

import (
	"log/slog"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
)

// MaxStoreTimeout is the longest that one piece of evidence may wait for the store. Mews
// gives up on an answer after 5 seconds.
const MaxStoreTimeout = 4 * time.Second

// Options are the choices of a Rack. The zero value is a good one.
type Options struct {
	// Policy is what the application decides because Mews's documents do not say.
	Policy Policy
	// Horizon is how long Mews may take to deliver a webhook, repetitions included. 0
	// means lifecycle.DefaultHorizon.
	Horizon time.Duration
	// StoreTimeout bounds the work of the store on one piece of evidence. 0, and
	// anything longer, means MaxStoreTimeout.
	StoreTimeout time.Duration
	// Sealer seals tokens and bodies before the store sees them. nil means a random key
	// if the store ends with the process, and ErrNoSealer otherwise.
	Sealer seal.Sealer
	// Prober asks Mews whether a token works; connector.New makes one. With a prober,
	// every delivery is followed by a question, Valid never outlives its lease, and a
	// lost webhook is noticed. Without one, only deliveries and the application's own
	// reports count.
	Prober connector.Prober
	// ProbeRate is the most probes a second, for all integrations together. 0 means 10.
	ProbeRate float64
	// Poll is how often the Rack looks in the journal for what other instances have
	// committed. 0 means DefaultPoll. With a store that gives News it also looks then.
	Poll time.Duration
	// Takeover is how long it takes until another instance takes over the probes and
	// subscriptions of one that died. 0 means DefaultTakeover.
	Takeover time.Duration
	// Telemetry, if set, is told what the Rack does: for metrics and traces, and for
	// alarms that a person should look at.
	Telemetry *Telemetry
	// Retention says how much of the journal is kept.
	Retention Retention
	// KeepRequestor keeps the names and email addresses of the persons who requested an
	// integration, in the sealed bodies of the journal. By default they are taken out
	// before anything is stored.
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

// DefaultTakeover is how long it takes until another instance takes over from one that
// died, unless Options.Takeover says otherwise.
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

// Retention says how much of the journal is kept. Verdicts do not need the journal: they
// rest on the record. What is left of the journal still folds to the record, from a
// snapshot of it as it was before the oldest entry that is left.
type Retention struct {
	// Age is how long entries are kept. 0 means 400 days, and a negative age
	// for ever.
	Age time.Duration
	// Entries is how many entries are kept of one integration, and of the deliveries
	// that name none. 0 means 1000, and a negative number all.
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
