package keyrack

import (
	"context"
	"errors"
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
		Owner: asked{r}, Prober: r.options.Prober, Leases: r.store, MaxAge: r.policy.MaxAge, Rate: rate,
		Takeover: r.options.takeover(), Patience: r.options.storeTimeout(), Log: r.log,
	})
}

// proofRef is where the store has since when tokens need proof, in clear.
var proofRef = store.Ref{Name: "proofs since"}

// proveSince returns since when tokens need proof in this store: since a Rack with a
// prober first asked for it. What was there before keeps its verdict while it is asked.
func (r *Rack) proveSince(ctx context.Context) (since lifecycle.Instant, err error) {
	kept, err := r.store.Sealed(ctx, proofRef)
	if errors.Is(err, store.ErrNotFound) {
		if kept, err = r.clock.Instant().MarshalText(); err == nil {
			err = r.store.Reseal(ctx, proofRef, nil, kept)
		}
		if err == nil { // another instance may have been faster
			kept, err = r.store.Sealed(ctx, proofRef)
		}
	}
	if err == nil {
		err = since.UnmarshalText(kept)
	}
	return since, err
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

// Records yields all records.
func (a asked) Records() iter.Seq[*Record] { return a.rack.view.All }

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
	e.At, e.Horizon = lifecycle.At(now), a.rack.options.horizon()
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

// Asking tells the Telemetry of a question.
func (a asked) Asking(ctx context.Context, id string) (context.Context, func(connector.Answer, error)) {
	ctx, began := a.rack.tell.begin(ctx, WorkProbe, "")
	return ctx, func(answer connector.Answer, err error) { a.rack.tell.probed(began, id, answer, err) }
}

// signOfLife notes that Mews sends General Webhooks for an integration. That does not prove
// that its token works, because no document says when Mews stops. If the verdict is not
// Valid, it is worth a question.
func (r *Rack) signOfLife(id string) {
	if r.schedule != nil && id != "" && !r.CheckIntegration(id).Active() {
		r.schedule.Hint(id)
	}
}
