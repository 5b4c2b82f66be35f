package keyrackotel

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// askTimeout bounds how long a collection of metrics waits for the store.
const askTimeout = 2 * time.Second

// gauges are read whenever metrics are collected.
type gauges struct {
	rack *keyrack.Rack

	states, verdicts, suspects, parked, orphans metric.Int64ObservableUpDownCounter
	seen, readable, lag, subscriptions          metric.Int64ObservableGauge
	oldest, synced                              metric.Float64ObservableGauge
	forbidden                                   metric.Int64ObservableCounter

	mu    sync.Mutex
	shown map[keyrack.Standing]bool // which are 0 rather than gone
}

// Watch reads a Rack's state whenever metrics are collected, until stop is called. Call
// stop before the Rack is closed. A collection looks at every integration in memory. It
// asks the store for the journal's end, and once for each subscription that runs here;
// if the store does not answer within 2 s, the lags are absent. Do not watch a second
// Rack at the same time: its metrics would mix with the first one's.
func (t *Telemetry) Watch(rack *keyrack.Rack) (stop func() error, err error) {
	g := &gauges{rack: rack, shown: make(map[keyrack.Standing]bool)}
	count := func(name, description string) metric.Int64ObservableUpDownCounter {
		c, failed := t.meter.Int64ObservableUpDownCounter(name, metric.WithUnit("{integration}"), metric.WithDescription(description))
		err = errors.Join(err, failed)
		return c
	}
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		c, failed := t.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		err = errors.Join(err, failed)
		return c
	}
	age := func(name, description string) metric.Float64ObservableGauge {
		c, failed := t.meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(description))
		err = errors.Join(err, failed)
		return c
	}
	g.states = count("keyrack.integrations", "Integrations by state.")
	g.verdicts = count("keyrack.verdicts", "Integrations by the verdict on their current token.")
	g.suspects = count("keyrack.suspects", "Integrations whose state the deliveries leave open.")
	g.parked = count("keyrack.parked", "Integrations whose IntegrationCreated has not come.")
	g.orphans = count("keyrack.orphans", "Parked integrations without a delivery for a horizon.")
	g.seen = gauge("keyrack.action.seen", "1", "1 if a webhook with this action ever came. 0 may mean that Mews was not asked to send it.")
	g.readable = gauge("keyrack.store.readable", "1", "0 while the journal cannot be read, and answers are from memory.")
	g.lag = gauge("keyrack.journal.lag", "{entry}", "Positions between the view and the journal's newest entry.")
	g.subscriptions = gauge("keyrack.subscription.lag", "{entry}", "Positions between a subscription and the journal's newest entry.")
	g.oldest = age("keyrack.evidence.oldest", "Age of the oldest evidence behind a verdict, deleted integrations excluded.")
	g.synced = age("keyrack.journal.synced", "Time since the view was level with the journal.")
	forbidden, failed := t.meter.Int64ObservableCounter("keyrack.forbidden_calls", metric.WithUnit("{call}"),
		metric.WithDescription("401s of the application's own calls that a missing permission of their operation explains."))
	g.forbidden = forbidden
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	registration, err := t.meter.RegisterCallback(g.observe, g.states, g.verdicts, g.suspects, g.parked, g.orphans,
		g.seen, g.readable, g.lag, g.subscriptions, g.oldest, g.synced, g.forbidden)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

func (g *gauges) observe(ctx context.Context, o metric.Observer) error {
	g.stats(o, g.rack.Stats())
	status := g.rack.SyncStatus()
	readable := int64(1)
	if status.Err != nil {
		readable = 0
	}
	o.ObserveInt64(g.readable, readable)
	o.ObserveFloat64(g.synced, max(0, time.Since(status.Synced).Seconds()))
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	latest, err := g.rack.JournalEnd(ctx)
	if err != nil {
		return nil // the gauge readable shows it
	}
	o.ObserveInt64(g.lag, int64(latest-min(latest, status.Position)))
	lags, err := g.rack.SubscriptionLags(ctx)
	if err != nil {
		return nil
	}
	for name, lag := range lags {
		o.ObserveInt64(g.subscriptions, int64(lag), metric.WithAttributes(subscriptionKey.String(name)))
	}
	return nil
}

func (g *gauges) stats(o metric.Observer, c keyrack.Stats) {
	for _, state := range lifecycle.States() {
		o.ObserveInt64(g.states, int64(c.States[state]), metric.WithAttributes(stateKey.String(state.String())))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for standing := range c.Verdicts {
		g.shown[standing] = true
	}
	for standing := range g.shown {
		o.ObserveInt64(g.verdicts, int64(c.Verdicts[standing]), metric.WithAttributes(
			verdictKey.String(standing.Status.String()), reasonKey.String(standing.Reason.String())))
	}
	o.ObserveInt64(g.suspects, int64(c.Suspect))
	o.ObserveInt64(g.parked, int64(c.Parked))
	o.ObserveInt64(g.orphans, int64(c.Orphaned))
	o.ObserveInt64(g.forbidden, c.Forbidden)
	o.ObserveFloat64(g.oldest, c.Oldest.Seconds())
	for _, action := range lifecycle.Actions() {
		seen := int64(0)
		if c.Seen[action] {
			seen = 1
		}
		o.ObserveInt64(g.seen, seen, metric.WithAttributes(actionKey.String(action.String())))
	}
}
