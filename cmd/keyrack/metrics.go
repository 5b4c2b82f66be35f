package main

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// page returns what the meter has counted and how the rack stands.
func (m *meter) page(ctx context.Context, rack *keyrack.Rack) []byte {
	var x exposition
	m.expose(&x)
	exposeCensus(&x, rack.Census(), m)
	exposeJournal(ctx, &x, rack, m)
	return x.Bytes()
}

func (m *meter) expose(x *exposition) {
	x.gauge("keyrack_build_info", "Always 1; the version is in the label.", 1, "version", m.version)
	x.gauge("process_start_time_seconds", "When the process began, since the Unix epoch.", float64(m.began.UnixMilli())/1000)
	x.counters("keyrack_deliveries_total", "Webhooks that were taken in, by what they say and what became of them.", &m.deliveries, "action", "outcome")
	x.counters("keyrack_general_webhooks_total", "General Webhooks, which are the application's own business.", &m.general)
	x.counters("keyrack_refusals_total", "Requests to the webhook listener that were refused, by why.", &m.refusals, "why")
	x.counters("keyrack_conflicts_total", "Commits that came second to another instance's, and were decided anew.", &m.conflicts)
	x.counters("keyrack_store_calls_total", "Calls of the store, by what came of them; timeout, invalid and error are failures.", &m.calls, "method", "result")
	x.counters("keyrack_probes_total", "Questions to Mews, by what came of them.", &m.probes, "result")
	x.counters("keyrack_alarms_total", "What a person should look at.", &m.alarms, "kind")
	x.counters("keyrack_tokens_handed_out_total", "Tokens that were handed out over the API, by the name of the key.", &m.tokens, "to")

	x.family("keyrack_answer_seconds", "histogram", "From a webhook's arrival to its answer. Mews gives up after 5 s.")
	x.histogram("keyrack_answer_seconds", &m.took)
	x.family("keyrack_probe_seconds", "histogram", "From a question to Mews to its answer.")
	x.histogram("keyrack_probe_seconds", &m.asked)
	x.family("keyrack_store_seconds", "histogram", "Calls of the store, without what was done between the steps of an iteration.")
	m.mu.Lock()
	stored := maps.Clone(m.stored)
	m.mu.Unlock()
	for _, method := range slices.Sorted(maps.Keys(stored)) {
		x.histogram("keyrack_store_seconds", stored[method], "method", method)
	}
}

func exposeCensus(x *exposition, c keyrack.Census, m *meter) {
	x.family("keyrack_integrations", "gauge", "Integrations by state.")
	for _, s := range lifecycle.States() {
		x.sample("keyrack_integrations", float64(c.States[s]), "state", s.String())
	}
	x.family("keyrack_verdicts", "gauge", "Integrations by the verdict on their current token.")
	for _, v := range m.shown(c.Verdicts) {
		x.sample("keyrack_verdicts", float64(c.Verdicts[v]), "status", v.Status.String(), "reason", v.Reason.String())
	}
	x.gauge("keyrack_suspects", "Integrations of which the deliveries leave open how things are.", float64(c.Suspect))
	x.gauge("keyrack_parked", "Integrations whose IntegrationCreated has not come.", float64(c.Parked))
	x.gauge("keyrack_orphans", "Those among them of which nothing was heard for a horizon, so that it will hardly come any more.", float64(c.Orphaned))
	x.gauge("keyrack_oldest_evidence_seconds", "The age of the oldest evidence that a verdict stands on, the deleted integrations apart.", c.Oldest.Seconds())
	x.family("keyrack_action_seen", "gauge", "1 for the actions of which a webhook ever came; 0 may be one that Mews was not asked to send.")
	for _, a := range lifecycle.Actions() {
		value := 0.0
		if c.Seen[a] {
			value = 1
		}
		x.sample("keyrack_action_seen", value, "action", a.String())
	}
}

// exposeJournal says how the view and the subscriptions stand to the journal.
// Where the store does not answer, the lags are not known and not there.
func exposeJournal(ctx context.Context, x *exposition, rack *keyrack.Rack, m *meter) {
	f := rack.Following()
	readable := 1.0
	if f.Err != nil {
		readable = 0
	}
	x.gauge("keyrack_store_readable", "0 while the store cannot be read, and answers are from memory.", readable)
	x.gauge("keyrack_journal_synced_seconds", "How long ago the view had all that the journal had.", max(0, time.Since(f.Synced).Seconds()))
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	latest, err := rack.Latest(ctx)
	if err != nil {
		return
	}
	x.gauge("keyrack_journal_position", "The position of the journal's newest entry.", float64(latest))
	x.gauge("keyrack_journal_lag", "By how many positions the view is behind the journal's newest entry.", math.Max(0, float64(latest)-float64(f.Position)))
	lags, err := m.lags(ctx, rack)
	if err != nil {
		return
	}
	for _, g := range []struct {
		name, help string
		value      func(subscriptionLag) float64
	}{
		{"keyrack_subscription_lag", "By how many positions a subscription is behind the journal's newest entry, as of a minute ago.",
			func(s subscriptionLag) float64 { return float64(s.behind) }},
		{"keyrack_subscription_dead_letters", "Changes that a subscription's handler failed at for good, and nobody has seen to.",
			func(s subscriptionLag) float64 { return float64(s.Dead) }},
		{"keyrack_subscription_paused", "1 for a subscription that somebody has paused.",
			func(s subscriptionLag) float64 {
				if s.Paused {
					return 1
				}
				return 0
			}},
	} {
		x.family(g.name, "gauge", g.help)
		for _, s := range lags {
			x.sample(g.name, g.value(s), "subscription", s.Name)
		}
	}
}
