// Package keyrackotel turns the telemetry of a [keyrack.Rack] into metrics and traces
// of OpenTelemetry, by its semantic conventions. Instruments and spans go to the
// providers of the application:
//
//	telemetry, err := keyrackotel.New(nil)
//	...
//	rack, err := keyrack.Open(ctx, store, &keyrack.Options{Telemetry: telemetry.Functions()})
//	...
//	stop, err := telemetry.Watch(rack)
//
// Durations are histograms in seconds. The count of a histogram is the count of the
// thing it measures:
//
//	keyrack.delivery.duration      a webhook's request, to its answer
//	keyrack.evidence.duration      evidence taken in, by kind, action and outcome
//	keyrack.store.duration         calls of the store, by method and result
//	keyrack.probe.duration         probes, by result
//	keyrack.subscription.duration  calls of a subscription's handler
//	keyrack.subscription.age       how old a change was after its handler
//
// Counters are keyrack.evidence.conflicts, keyrack.subscription.dead_letters and
// keyrack.alarms. Watch adds what is read whenever metrics are collected: integrations
// by state, verdicts by status and reason, suspects, parked and orphans, the age of the
// oldest evidence, which actions were ever seen, and the lags of journal and
// subscriptions.
//
// No metric has an unbounded attribute, so none names an integration. Spans name the
// integration and the id of the journal entry, but never hold a token or a person. A
// call of the store has a span only within another span, so that background work does
// not make a trace every second. The database's own spans and metrics come from its
// driver.
package keyrackotel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/keyrack-dev/keyrack"
)

// scope is the name of the meter and the tracer.
const scope = "github.com/keyrack-dev/keyrack/keyrackotel"

// Options are the choices of a Telemetry. The zero value is a good one.
type Options struct {
	// MeterProvider makes the instruments. nil means the global one.
	MeterProvider metric.MeterProvider
	// TracerProvider makes the spans. nil means the global one.
	TracerProvider trace.TracerProvider
}

// Telemetry holds the instruments. It is safe for concurrent use and may serve several
// Racks, but only one of them may be watched.
type Telemetry struct {
	meter  metric.Meter
	tracer trace.Tracer
	ends   instruments
}

// New makes the instruments. nil options mean the zero Options. It returns an error
// if the MeterProvider refuses an instrument.
func New(opts *Options) (*Telemetry, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	t := &Telemetry{meter: o.MeterProvider.Meter(scope), tracer: o.TracerProvider.Tracer(scope)}
	var err error
	t.ends, err = newInstruments(t.meter)
	if err == nil {
		t.ends.zero()
	}
	return t, err
}

// Functions returns what is to be set as keyrack.Options.Telemetry.
func (t *Telemetry) Functions() *keyrack.Telemetry {
	return &keyrack.Telemetry{
		Begin:    t.begin,
		Answered: t.answered,
		Taken:    t.taken,
		Stored:   t.stored,
		Probed:   t.probed,
		Handled:  t.handled,
		Alarmed:  t.alarmed,
	}
}

// instruments record the ends of work.
type instruments struct {
	deliveries, evidence, store, probes, handlers, ages metric.Float64Histogram
	conflicts, deadLetters, alarms                      metric.Int64Counter
}

// zero begins every counter that may stay silent at 0: a rate of a series that begins with its
// first event does not see that event.
func (i *instruments) zero() {
	ctx := context.Background()
	i.conflicts.Add(ctx, 0)
	for _, kind := range []keyrack.AlarmKind{
		keyrack.AlarmEvidence, keyrack.AlarmTrouble, keyrack.AlarmTroubleOver, keyrack.AlarmNoWitness,
		keyrack.AlarmNotUnderstood, keyrack.AlarmUnknownAction, keyrack.AlarmUnreadable, keyrack.AlarmStore, keyrack.AlarmFull,
	} {
		i.alarms.Add(ctx, 0, metric.WithAttributes(alarmKey.String(string(kind))))
	}
}

// The boundaries of the histograms, in seconds. Mews gives up on an answer after 5 s.
// The store has the conventional boundaries of databases.
var (
	quick   = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	storing = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10}
	asking  = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 20}
	aging   = []float64{.01, .1, 1, 10, 60, 300, 1800, 3600, 21600, 86400}
)

func newInstruments(m metric.Meter) (i instruments, err error) {
	histogram := func(name, description string, bounds []float64) metric.Float64Histogram {
		h, failed := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(bounds...))
		err = errors.Join(err, failed)
		return h
	}
	counter := func(name, unit, description string) metric.Int64Counter {
		c, failed := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		err = errors.Join(err, failed)
		return c
	}
	i = instruments{
		deliveries:  histogram("keyrack.delivery.duration", "From a webhook's arrival to its answer; Mews gives up after 5 s.", quick),
		evidence:    histogram("keyrack.evidence.duration", "Time to decide on a piece of evidence and commit it.", quick),
		store:       histogram("keyrack.store.duration", "Calls of the store.", storing),
		probes:      histogram("keyrack.probe.duration", "Questions to Mews about a token.", asking),
		handlers:    histogram("keyrack.subscription.duration", "Calls of a subscription's handler.", quick),
		ages:        histogram("keyrack.subscription.age", "Age of a change when its subscription's handler has succeeded.", aging),
		conflicts:   counter("keyrack.evidence.conflicts", "{conflict}", "Commits that lost to another instance's and were decided again."),
		deadLetters: counter("keyrack.subscription.dead_letters", "{change}", "Changes that a subscription's handler failed to handle after all attempts."),
		alarms:      counter("keyrack.alarms", "{alarm}", "Alarms: things that a person should look at."),
	}
	return i, err
}
