// Package metrics counts what a Rack reports and writes the page that /metrics serves,
// in the text format of Prometheus.
//
// Telemetry connects a Metrics to a Rack, which reports deliveries, calls of the store,
// probes and alarms as they happen. Page adds the state of the Rack at that moment:
// integrations by state, verdicts, the journal, and the subscriptions of every process
// on the store.
//
// No label holds anything from outside: no integration, no address. What may never
// happen is on the page from the start with 0, so that a rate can be taken of its first
// time.
package metrics

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/connector"
)

// Metrics counts what a Rack reports. It is safe for concurrent use.
type Metrics struct {
	version    string
	began      time.Time
	deliveries counters // action, outcome
	general    counters
	refusals   counters // why
	secrets    counters // name
	conflicts  counters
	calls      counters // method, result
	probes     counters // result
	alarms     counters // kind
	tokens     counters // to
	took       histogram
	asked      histogram

	mu            sync.Mutex
	stored        map[string]*histogram     // by method
	verdicts      map[keyrack.Standing]bool // that were ever shown
	subscriptions []subscriptionLag
	looked        time.Time // at the subscriptions
}

// New returns a Metrics with every count at 0. The page shows the version of the build.
func New(version string) *Metrics {
	m := &Metrics{version: version, began: time.Now(), stored: make(map[string]*histogram), verdicts: make(map[keyrack.Standing]bool)}
	for _, one := range []keyrack.Refusal{
		keyrack.RefusedPath, keyrack.RefusedMethod, keyrack.RefusedSecret, keyrack.RefusedSize,
		keyrack.RefusedBody, keyrack.RefusedSyntax, keyrack.RefusedStore, keyrack.RefusedFull,
	} {
		m.refusals.add(0, string(one))
	}
	for _, one := range []keyrack.AlarmKind{
		keyrack.AlarmEvidence, keyrack.AlarmTrouble, keyrack.AlarmTroubleOver, keyrack.AlarmNoWitness,
		keyrack.AlarmNotUnderstood, keyrack.AlarmUnknownAction, keyrack.AlarmUnreadable, keyrack.AlarmStore, keyrack.AlarmFull,
	} {
		m.alarms.add(0, string(one))
	}
	for _, result := range []string{"ok", "conflict", "timeout", "error"} {
		m.calls.add(0, "Commit", result)
	}
	m.general.add(0)
	m.conflicts.add(0)
	return m
}

// ExpectProbes puts every result of a probe on the page, for a Rack that has a prober.
func (m *Metrics) ExpectProbes() {
	for kind := connector.Accepted; kind <= connector.Unauthorized; kind++ {
		m.probes.add(0, keyrack.Probed{Kind: kind}.Result())
	}
	for class := connector.Unexplained; class <= connector.Malformed; class++ {
		m.probes.add(0, keyrack.Probed{Class: class}.Result())
	}
}

// ExpectSecrets puts the secrets of these names on the page.
func (m *Metrics) ExpectSecrets(secrets []keyrack.Secret) {
	for _, s := range secrets {
		m.secrets.add(0, s.Name)
	}
}

// Telemetry is for the options of the Rack to count.
func (m *Metrics) Telemetry() *keyrack.Telemetry {
	return &keyrack.Telemetry{
		Answered: func(_ context.Context, o keyrack.ServedRequest) { m.answered(o) },
		Taken: func(_ context.Context, t keyrack.Taken) {
			m.conflicts.add(uint64(t.Conflicts))
		},
		Stored: func(_ context.Context, s keyrack.StoreCall) {
			m.calls.add(1, s.Method, s.Result())
			m.storing(s.Method).add(s.Took)
		},
		Probed: func(_ context.Context, p keyrack.Probed) {
			m.probes.add(1, p.Result())
			m.asked.add(p.Took)
		},
		Alarmed: func(_ context.Context, a keyrack.Alarm) { m.alarms.add(1, string(a.Kind)) },
	}
}

func (m *Metrics) answered(o keyrack.ServedRequest) {
	m.took.add(o.Took)
	if o.Secret != "" {
		m.secrets.add(1, o.Secret)
	}
	switch {
	case o.Refusal != "":
		m.refusals.add(1, string(o.Refusal))
	case o.Receipt.General != nil:
		m.general.add(1)
	default:
		m.deliveries.add(1, o.Receipt.Decision.Action.String(), o.Receipt.Decision.Outcome.String())
	}
}

// TokenIssued counts a token that was issued over the API to the key with that name.
func (m *Metrics) TokenIssued(to string) { m.tokens.add(1, to) }

// storing returns the histogram of a method of the store.
func (m *Metrics) storing(method string) *histogram {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.stored[method]
	if h == nil {
		h = new(histogram)
		m.stored[method] = h
	}
	return h
}

// shown returns the verdicts to show, in order. One that was shown before stays on the
// page with 0.
func (m *Metrics) shown(now map[keyrack.Standing]int) []keyrack.Standing {
	m.mu.Lock()
	defer m.mu.Unlock()
	for v := range now {
		m.verdicts[v] = true
	}
	return slices.SortedFunc(maps.Keys(m.verdicts), func(a, b keyrack.Standing) int {
		return strings.Compare(a.Status.String()+" "+a.Reason.String(), b.Status.String()+" "+b.Reason.String())
	})
}

// subscriptionLag is how a subscription stood when the store was last asked.
type subscriptionLag struct {
	atrest.Subscription
	behind uint64 // positions of the journal
}

// lookEveryMinute spares the store: finding all subscriptions reads the address of
// every sealed value, which is too much for a scrape every few seconds.
const lookEveryMinute = time.Minute

// lags returns how all subscriptions of the store stand, in every process, as of at
// most a minute ago.
func (m *Metrics) lags(ctx context.Context, rack *keyrack.Rack) ([]subscriptionLag, error) {
	m.mu.Lock()
	known, looked := m.subscriptions, m.looked
	m.mu.Unlock()
	if !looked.IsZero() && time.Since(looked) < lookEveryMinute {
		return known, nil
	}
	states, err := atrest.Subscriptions(ctx, rack.Store())
	if err != nil {
		return nil, err
	}
	latest, err := rack.JournalEnd(ctx)
	if err != nil {
		return nil, err
	}
	lags := make([]subscriptionLag, 0, len(states))
	for _, s := range states {
		lags = append(lags, subscriptionLag{s, uint64(latest - min(latest, s.Position))})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscriptions, m.looked = lags, time.Now()
	return lags, nil
}
