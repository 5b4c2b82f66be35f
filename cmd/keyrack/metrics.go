package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// meter counts what happens, for Prometheus. No label holds what came from
// outside: neither an integration nor an address. It is safe for concurrent use.
type meter struct {
	began      time.Time
	deliveries counters // action, outcome
	general    counters
	refusals   counters // why
	probes     counters // result
	alarms     counters // kind
	tokens     counters // to
	took       histogram

	mu       sync.Mutex
	verdicts map[[2]string]bool // status and reason that were ever shown
}

func newMeter() *meter {
	m := &meter{began: time.Now(), verdicts: make(map[[2]string]bool)}
	// What may never happen is there from the start, so that a rate can be taken
	// of its first time.
	for _, one := range []keyrack.Refusal{
		keyrack.RefusedPath, keyrack.RefusedMethod, keyrack.RefusedSecret, keyrack.RefusedSize,
		keyrack.RefusedBody, keyrack.RefusedSyntax, keyrack.RefusedStore,
	} {
		m.refusals.add(0, string(one))
	}
	for _, one := range []keyrack.AlarmKind{keyrack.AlarmEvidence, keyrack.AlarmTrouble, keyrack.AlarmTroubleOver} {
		m.alarms.add(0, string(one))
	}
	m.general.add(0)
	return m
}

// observe is for keyrack.HandlerOptions.Observe.
func (m *meter) observe(o keyrack.Observation) {
	m.took.add(o.Took)
	switch {
	case o.Refusal != "":
		m.refusals.add(1, string(o.Refusal))
	case o.Receipt.General != nil:
		m.general.add(1)
	default:
		m.deliveries.add(1, o.Receipt.Decision.Action.String(), o.Receipt.Decision.Outcome.String())
	}
}

func (m *meter) alarm(a keyrack.Alarm) { m.alarms.add(1, string(a.Kind)) }
func (m *meter) probed(result string)  { m.probes.add(1, result) }
func (m *meter) handedOut(to string)   { m.tokens.add(1, to) }
func (c *counters) add(n uint64, of ...string) {
	key := strings.Join(of, "\x00")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = make(map[string]uint64)
	}
	c.counts[key] += n
}

// counters are counters with the same labels. The zero value is ready.
type counters struct {
	mu     sync.Mutex
	counts map[string]uint64
}

// take returns the counts by their labels' values.
func (c *counters) take() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// bounds are the upper ones of the histogram's buckets, in seconds. Mews gives up
// after 5.
var bounds = [...]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// histogram counts times. The zero value is ready.
type histogram struct {
	buckets [len(bounds) + 1]atomic.Uint64
	nanos   atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	i, _ := slices.BinarySearch(bounds[:], d.Seconds())
	h.buckets[i].Add(1)
	h.nanos.Add(int64(d))
}

// metrics answers in the text format of Prometheus, version 0.0.4.
func (a *api) metrics(w http.ResponseWriter, req *http.Request) {
	var x exposition
	a.meter.expose(&x)
	exposeFleet(&x, a.rack, a.meter, time.Now())
	exposeJournal(req.Context(), &x, a.rack)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(x.Bytes())
}

// exposition is a page of metrics.
type exposition struct{ bytes.Buffer }

// family begins a metric.
func (x *exposition) family(name, kind, help string) {
	fmt.Fprintf(x, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one value; labels are names and values by turns.
func (x *exposition) sample(name string, value float64, labels ...string) {
	x.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		x.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(x, `%s="%s"`, labels[i], escaped.Replace(labels[i+1]))
	}
	if len(labels) > 0 {
		x.WriteByte('}')
	}
	x.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// counters writes a family of counters.
func (x *exposition) counters(name, help string, c *counters, labels ...string) {
	x.family(name, "counter", help)
	counts := c.take()
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		var pairs []string
		if len(labels) > 0 {
			for i, value := range strings.Split(key, "\x00") {
				pairs = append(pairs, labels[i], value)
			}
		}
		x.sample(name, float64(counts[key]), pairs...)
	}
}

func (m *meter) expose(x *exposition) {
	x.family("keyrack_build_info", "gauge", "Always 1; the version is in the label.")
	x.sample("keyrack_build_info", 1, "version", version())
	x.family("process_start_time_seconds", "gauge", "When the process began, since the Unix epoch.")
	x.sample("process_start_time_seconds", float64(m.began.UnixMilli())/1000)
	x.counters("keyrack_deliveries_total", "Webhooks that were taken in, by what they say and what became of them.", &m.deliveries, "action", "outcome")
	x.counters("keyrack_general_webhooks_total", "General Webhooks, which are the application's own business.", &m.general)
	x.counters("keyrack_refusals_total", "Requests to the webhook listener that were refused, by why.", &m.refusals, "why")
	x.counters("keyrack_probes_total", "Questions to Mews, by what came of them.", &m.probes, "result")
	x.counters("keyrack_alarms_total", "What a person should look at.", &m.alarms, "kind")
	x.counters("keyrack_tokens_handed_out_total", "Tokens that were handed out over the API, by the name of the key.", &m.tokens, "to")

	const name = "keyrack_answer_seconds"
	x.family(name, "histogram", "From a webhook's arrival to its answer. Mews gives up after 5 s.")
	total := uint64(0)
	for i := range m.took.buckets {
		total += m.took.buckets[i].Load()
		le := math.Inf(1)
		if i < len(bounds) {
			le = bounds[i]
		}
		x.sample(name+"_bucket", float64(total), "le", strconv.FormatFloat(le, 'g', -1, 64))
	}
	x.sample(name+"_sum", time.Duration(m.took.nanos.Load()).Seconds())
	x.sample(name+"_count", float64(total))
}

// exposeFleet looks at every integration once.
func exposeFleet(x *exposition, rack *keyrack.Rack, m *meter, now time.Time) {
	states := make(map[lifecycle.State]int)
	verdicts := make(map[[2]string]int)
	seen := make(map[lifecycle.Action]bool)
	suspects, parked, orphans, oldest := 0, 0, 0, time.Duration(0)
	for r := range rack.Integrations() {
		v := rack.Integration(r.ID)
		states[r.State]++
		verdicts[[2]string{v.Status.String(), v.Reason.String()}]++
		noteSeen(seen, &r)
		switch v.Reason {
		case lifecycle.ReasonSuspectCanceled, lifecycle.ReasonSuspectEnabled, lifecycle.ReasonSuspectKey:
			suspects++
		}
		if r.State == lifecycle.Unseen {
			parked++
			if now.Sub(r.Arrived.Time()) > orphanAfter {
				orphans++
			}
		}
		if r.State != lifecycle.Deleted {
			oldest = max(oldest, v.Age(now))
		}
	}
	x.family("keyrack_integrations", "gauge", "Integrations by state.")
	for _, s := range lifecycle.States() {
		x.sample("keyrack_integrations", float64(states[s]), "state", s.String())
	}
	x.family("keyrack_verdicts", "gauge", "Integrations by the verdict on their current token.")
	for _, v := range m.shown(verdicts) {
		x.sample("keyrack_verdicts", float64(verdicts[v]), "status", v[0], "reason", v[1])
	}
	for _, g := range []struct {
		name, help string
		value      float64
	}{
		{"keyrack_suspects", "Integrations of which the deliveries leave open how things are.", float64(suspects)},
		{"keyrack_parked", "Integrations whose IntegrationCreated has not come.", float64(parked)},
		{"keyrack_orphans", "Those among them whose latest delivery is so old that it will hardly come any more.", float64(orphans)},
		{"keyrack_oldest_evidence_seconds", "The age of the evidence of the integration of which nothing was heard longest, without the deleted ones.", oldest.Seconds()},
	} {
		x.family(g.name, "gauge", g.help)
		x.sample(g.name, g.value)
	}
	x.family("keyrack_action_seen", "gauge", "1 for the actions of which a webhook ever came; 0 may be one that Mews was not asked to send.")
	for _, a := range lifecycle.Actions() {
		value := 0.0
		if seen[a] {
			value = 1
		}
		x.sample("keyrack_action_seen", value, "action", a.String())
	}
}

// orphanAfter is longer than any horizon in its senses.
const orphanAfter = 24 * time.Hour

// noteSeen notes the actions of which a record shows that they came.
func noteSeen(seen map[lifecycle.Action]bool, r *keyrack.Record) {
	note := func(a lifecycle.Action, came bool) {
		if came {
			seen[a] = true
		}
	}
	note(lifecycle.IntegrationCreated, r.Created)
	note(lifecycle.IntegrationDeleted, r.DeletedAt != 0)
	for _, course := range append([]lifecycle.Course{r.Course}, r.Parked...) {
		note(lifecycle.IntegrationEnabled, course.Enabled.Set != 0)
		note(lifecycle.IntegrationDisabled, course.Enabled.Cleared != 0)
		note(lifecycle.IntegrationCanceled, course.Canceled.Set != 0)
		note(lifecycle.IntegrationReinstated, course.Canceled.Cleared != 0)
	}
	for _, k := range r.Keys {
		note(k.From, k.From != lifecycle.ActionUnknown)
	}
}

// shown returns the verdicts to show, in order: those of now, and those that were
// shown before, which are 0 rather than gone.
func (m *meter) shown(now map[[2]string]int) [][2]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for v := range now {
		m.verdicts[v] = true
	}
	return slices.SortedFunc(maps.Keys(m.verdicts), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
}

// exposeJournal says how the view stands to the journal. Where the store does not
// answer, the lag is not known and not there.
func exposeJournal(ctx context.Context, x *exposition, rack *keyrack.Rack) {
	f := rack.Following()
	readable := 1.0
	if f.Err != nil {
		readable = 0
	}
	x.family("keyrack_store_readable", "gauge", "0 while the store cannot be read, and answers are from memory.")
	x.sample("keyrack_store_readable", readable)
	x.family("keyrack_journal_synced_seconds", "gauge", "How long ago the view had all that the journal had.")
	x.sample("keyrack_journal_synced_seconds", max(0, time.Since(f.Synced).Seconds()))
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	latest, err := rack.Latest(ctx)
	if err != nil {
		return
	}
	x.family("keyrack_journal_position", "gauge", "The position of the journal's newest entry.")
	x.sample("keyrack_journal_position", float64(latest))
	x.family("keyrack_journal_lag", "gauge", "By how many positions the view is behind the journal's newest entry.")
	x.sample("keyrack_journal_lag", math.Max(0, float64(latest)-float64(f.Position)))
}
