package keyrack

import (
	"context"
	"iter"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/probe"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

const defaultProbeRate = 10 // a second

// newSchedule returns the schedule of probes for a Rack with a prober.
func newSchedule(r *Rack) *probe.Schedule {
	rate := r.options.ProbeRate
	if rate <= 0 {
		rate = defaultProbeRate
	}
	return probe.New(probe.Options{
		Owner: asked{r}, Prober: r.options.Prober, Leases: r.store, Rate: rate, Guest: r.options.Guest,
		MaxAge:   func() time.Duration { return r.rules().policy.MaxAge },
		Takeover: r.options.takeover(), Patience: r.options.storeTimeout(), Log: r.log,
	})
}

// asked is the Rack as its schedule of probes sees it.
type asked struct{ rack *Rack }

var _ probe.Owner = asked{}

// Record returns the record of an integration, or nil.
func (a asked) Record(id string) *Record {
	if record := a.rack.view.Record(id); record != nil && record.ID == id {
		return record
	}
	return nil // it is nameless no more
}

// Records yields all records; of a guest, none: it asks about what it is told to.
func (a asked) Records() iter.Seq[*Record] {
	if a.rack.options.Guest {
		return func(func(*Record) bool) {}
	}
	return a.rack.view.All
}

// Verdict returns the verdict on a token, or on the current one.
func (a asked) Verdict(record *Record, token lifecycle.Digest) Verdict {
	if token == (lifecycle.Digest{}) {
		return a.rack.verdict(record, a.rack.clock.Instant())
	}
	return a.rack.verdictOn(record, token, a.rack.clock.Instant())
}

// Token returns a token of an integration, in clear.
func (a asked) Token(ctx context.Context, id string, d lifecycle.Digest) (Token, error) {
	return a.rack.tokenBy(ctx, id, d)
}

// Take journals an answer.
func (a asked) Take(ctx context.Context, e lifecycle.Evidence) error {
	now := a.rack.clock.Now()
	e.At, e.Horizon = lifecycle.At(now), a.rack.rules().horizon
	_, err := a.rack.take(ctx, &taking{id: store.NewEntryID(now), evidence: e})
	if err == nil {
		a.rack.findName(ctx, e.Integration.ID)
	}
	return err
}

// Alarm raises an alarm about Mews's answers as a whole.
func (a asked) Alarm(ctx context.Context, what probe.Alarm) {
	kind := AlarmNoWitness
	switch what {
	case probe.Trouble:
		kind = AlarmTrouble
		a.rack.trouble.Store(true)
	case probe.TroubleOver:
		kind = AlarmTroubleOver
		a.rack.trouble.Store(false)
	}
	a.rack.tell.alarmed(ctx, a.rack.log, Alarm{Kind: kind})
}

// Now returns the Rack's time.
func (a asked) Now() time.Time { return a.rack.clock.Now() }

// Asking tells the Telemetry of a probe.
func (a asked) Asking(ctx context.Context, id string) (context.Context, func(connector.Answer, error)) {
	ctx, began := a.rack.tell.begin(ctx, WorkProbe, "")
	return ctx, func(answer connector.Answer, err error) { a.rack.tell.probed(began, id, answer, err) }
}

// signOfLife notes that Mews sends General Webhooks for an integration. That does not prove
// that its token works, because no document says when Mews stops. If the verdict is not
// Valid, it is worth a probe.
func (r *Rack) signOfLife(id string) {
	if r.schedule != nil && id != "" && !r.CheckIntegration(id).Active() {
		r.schedule.Hint(id)
	}
}

// Probe has Mews asked anew about an integration, by whichever instance does the
// asking, as soon as its turn comes. Until then the verdict stays as it is. The
// error is ErrInvalid without a prober, ErrNotFound, or the store's.
func (r *Rack) Probe(ctx context.Context, integration, by string) (Receipt, error) {
	if r.options.Prober == nil {
		return Receipt{}, errNoProber
	}
	return r.byHand(ctx, lifecycle.KindProbeRequest, integration, by, lifecycle.Digest{})
}
