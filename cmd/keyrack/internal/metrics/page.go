package metrics

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Page returns the page: what was counted so far, and how the Rack stands now. Without
// an answer from the store within a second the lags are unknown and absent.
func (m *Metrics) Page(ctx context.Context, rack *keyrack.Rack) []byte {
	var w promWriter
	m.writeCounts(&w)
	writeStats(&w, rack.Stats(), m)
	writeJournal(ctx, &w, rack, m)
	m.writeRuntime(&w)
	return w.Bytes()
}

func (m *Metrics) writeCounts(w *promWriter) {
	w.gauge("keyrack_build_info", "Always 1; the version is in the label.", 1, "version", m.version)
	w.counters("keyrack_deliveries_total", "Webhooks taken in, by action and outcome.", &m.deliveries, "action", "outcome")
	w.counters("keyrack_general_webhooks_total", "General Webhooks, which the application handles itself.", &m.general)
	w.counters("keyrack_refusals_total", "Requests that the webhook listener refused, by reason.", &m.refusals, "why")
	w.counters("keyrack_secret_uses_total", "Requests that came with one of the webhook's secrets, by its name.", &m.secrets, "secret")
	w.counters("keyrack_conflicts_total", "Commits that lost to another instance's and were decided again.", &m.conflicts)
	w.counters("keyrack_store_calls_total", "Calls of the store, by result; timeout, invalid and error are failures.", &m.calls, "method", "result")
	w.counters("keyrack_probes_total", "Questions to Mews, by result.", &m.probes, "result")
	w.counters("keyrack_alarms_total", "Alarms, which a person should look into, by kind.", &m.alarms, "kind")
	w.counters("keyrack_tokens_issued_total", "Tokens issued over the API, by the name of the key.", &m.tokens, "to")

	w.family("keyrack_answer_seconds", "histogram", "From the arrival of a webhook to its answer. Mews gives up after 5 s.")
	w.histogram("keyrack_answer_seconds", &m.took)
	w.family("keyrack_probe_seconds", "histogram", "From a probe to its answer.")
	w.histogram("keyrack_probe_seconds", &m.asked)
	w.family("keyrack_store_seconds", "histogram", "Calls of the store. Of an iteration, only the time spent in the store.")
	m.mu.Lock()
	stored := maps.Clone(m.stored)
	m.mu.Unlock()
	for _, method := range slices.Sorted(maps.Keys(stored)) {
		w.histogram("keyrack_store_seconds", stored[method], "method", method)
	}
}

func writeStats(w *promWriter, c keyrack.Stats, m *Metrics) {
	w.family("keyrack_integrations", "gauge", "Integrations by state.")
	for _, s := range lifecycle.States() {
		w.sample("keyrack_integrations", float64(c.States[s]), "state", s.String())
	}
	w.family("keyrack_verdicts", "gauge", "Integrations by the verdict on their current token.")
	for _, v := range m.shown(c.Verdicts) {
		w.sample("keyrack_verdicts", float64(c.Verdicts[v]), "status", v.Status.String(), "reason", v.Reason.String())
	}
	w.gauge("keyrack_suspects", "Integrations whose state the deliveries leave open.", float64(c.Suspect))
	w.gauge("keyrack_parked", "Integrations whose IntegrationCreated has not arrived.", float64(c.Parked))
	w.gauge("keyrack_orphans", "Parked integrations without news for a horizon, so that their IntegrationCreated is probably lost.", float64(c.Orphaned))
	w.family("keyrack_forbidden_calls_total", "counter", "401s of the application's own calls that a missing permission of their operation explains.")
	w.sample("keyrack_forbidden_calls_total", float64(c.Forbidden))
	w.gauge("keyrack_oldest_evidence_seconds", "The age of the oldest evidence behind a verdict, deleted integrations excepted.", c.Oldest.Seconds())
	w.family("keyrack_action_seen", "gauge", "1 for an action that a webhook ever brought; 0 may be one that Mews is not set up to send.")
	for _, a := range lifecycle.Actions() {
		value := 0.0
		if c.Seen[a] {
			value = 1
		}
		w.sample("keyrack_action_seen", value, "action", a.String())
	}
}

// writeJournal writes how far the view and the subscriptions are behind the journal.
func writeJournal(ctx context.Context, w *promWriter, rack *keyrack.Rack, m *Metrics) {
	f := rack.SyncStatus()
	readable := 1.0
	if f.Err != nil {
		readable = 0
	}
	w.gauge("keyrack_store_readable", "0 while the store cannot be read and answers come from memory.", readable)
	w.gauge("keyrack_journal_synced_seconds", "How long ago the view was level with the journal.", max(0, time.Since(f.Synced).Seconds()))
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	latest, err := rack.JournalEnd(ctx)
	if err != nil {
		return
	}
	w.gauge("keyrack_journal_position", "The position of the newest entry of the journal.", float64(latest))
	w.gauge("keyrack_journal_lag", "Positions between the view and the newest entry of the journal.", math.Max(0, float64(latest)-float64(f.Position)))
	lags, err := m.lags(ctx, rack)
	if err != nil {
		return
	}
	for _, g := range []struct {
		name, help string
		value      func(subscriptionLag) float64
	}{
		{"keyrack_subscription_lag", "Positions between a subscription and the newest entry of the journal, at most a minute old.",
			func(s subscriptionLag) float64 { return float64(s.behind) }},
		{"keyrack_subscription_dead_letters", "Changes that the handler of a subscription failed on for good and that nobody has dealt with.",
			func(s subscriptionLag) float64 { return float64(s.Dead) }},
		{"keyrack_subscription_paused", "1 for a paused subscription.",
			func(s subscriptionLag) float64 {
				if s.Paused {
					return 1
				}
				return 0
			}},
	} {
		w.family(g.name, "gauge", g.help)
		for _, s := range lags {
			w.sample(g.name, g.value(s), "subscription", s.Name)
		}
	}
}
