package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// count is a number with what it is of, and where to look at those.
type count struct {
	N          int
	Text, Href string
	Status     string
	Advice     string
}

// check is how one part stands.
type check struct {
	Name, Text string
	Bad        bool
}

type overviewPage struct {
	frame
	Total    int
	Trouble  int     // verdicts that are what they were before Mews refused everything
	Verdicts []count // valid, unknown, invalid
	Share    []bar   // of a line, one for each of Verdicts
	Reasons  []count
	Wants    []count
	Charts   []chart
	Counted  int // of the charts, in percent
	Health   []check
	Actions  []check
	Secrets  []secret
}

type secret struct {
	Name string
	Seen moment
}

// counts counts what the index has.
type counts struct {
	status  [lifecycle.Invalid + 1]int
	reasons map[lifecycle.Reason]int
	status4 map[lifecycle.Reason]lifecycle.Status
	alarms  int
	trouble int
}

func (h *Handler) overview(r *request) {
	p := overviewPage{frame: r.frame("overview", "Overview")}
	alarmed := h.alarmed(r)
	c := counts{reasons: map[lifecycle.Reason]int{}, status4: map[lifecycle.Reason]lifecycle.Status{}}
	var counts [64]int
	h.index.read(r.Context(), func(rows []row) {
		p.Total = len(rows)
		for i := range rows {
			one := &rows[i]
			c.status[one.status]++
			counts[one.reason]++
			c.status4[one.reason] = one.status
			if one.trouble {
				c.trouble++
			}
			if len(alarmed) > 0 && one.status == lifecycle.Unknown && alarmed[one.id] {
				c.alarms++
			}
		}
	})
	for _, s := range []lifecycle.Status{lifecycle.Valid, lifecycle.Unknown, lifecycle.Invalid} {
		p.Verdicts = append(p.Verdicts, count{N: c.status[s], Text: s.String(), Status: s.String(), Href: "./integrations?status=" + s.String()})
	}
	p.Share = shares(p.Verdicts, p.Total)
	for reason, n := range counts {
		if reason := lifecycle.Reason(reason); n > 0 {
			c.reasons[reason] = n
			p.Reasons = append(p.Reasons, count{
				N: n, Text: words(reason.String()), Status: c.status4[reason].String(), Advice: because[reason],
				Href: "./integrations?reason=" + url.QueryEscape(reason.String()),
			})
		}
	}
	slices.SortStableFunc(p.Reasons, func(a, b count) int { return b.N - a.N })
	var contradictions, unread int
	h.tally.read(r.now, func(hours map[int64]*hour, _ map[string]time.Time, counted float64) {
		for _, one := range hours {
			contradictions += one.outcomes[lifecycle.Conflict]
			unread += one.unread
		}
		p.Counted = int(100 * counted)
		p.Charts = []chart{
			countChart("Deliveries of the last 24 hours", deliverySeries, hours, r.now, 24, 1),
			countChart("Deliveries of the last 7 days", deliverySeries, hours, r.now, 7, 24),
			timeChart(hours, r.now, 24),
		}
		if h.options.Prober {
			p.Charts = append(p.Charts, countChart("Mews’s answers of the last 24 hours", probeSeries, hours, r.now, 24, 1))
		}
	})
	dead := h.health(r, &p)
	p.Trouble = c.trouble
	stats, _, known := h.stats.read()
	p.wants(&c, stats.Orphaned, contradictions, unread, dead)
	if known {
		calls := check{Name: "Own calls", Text: "none was refused for lack of a permission"}
		if stats.Forbidden > 0 {
			calls.Text = number(int(stats.Forbidden)) + " since the start were refused for lack of a permission; the page of an integration names the operations"
		}
		p.Health = append(p.Health, calls)
	}
	for _, a := range lifecycle.Actions() {
		if !known {
			break
		}
		p.Actions = append(p.Actions, check{Name: a.String(), Bad: !stats.Seen[a]})
	}
	if h.options.Webhooks != nil {
		for _, s := range h.options.Webhooks.Secrets() {
			p.Secrets = append(p.Secrets, secret{plain(s.Name, inList), momentOf(s.LastSeen, r.now)})
		}
	}
	r.show(http.StatusOK, "overview.html", p)
}

// wants lists what a person should look at first.
func (p *overviewPage) wants(c *counts, orphans, contradictions, unread, dead int) {
	for _, one := range []count{
		{N: c.trouble, Text: "in trouble", Href: "./integrations?trouble=yes", Advice: "Mews refuses probes whatever the token: the ClientToken is dead, or there is trouble at Mews. These verdicts stay as they were."},
		{N: c.reasons[lifecycle.ReasonDisputed], Text: "disputed", Href: "./integrations?reason=disputed", Advice: "Two enterprises or two integrations seem to own one token."},
		{N: c.reasons[lifecycle.ReasonDeletedAccepted], Text: "deleted, and yet accepted", Href: "./integrations?reason=deleted_but_accepted", Advice: "The deletion may be forged, or Mews is late."},
		{N: c.alarms, Text: "with an unanswered alarm", Href: "./integrations?alarm=open", Advice: "Evidence contradicted what was known, and nothing has settled it since."},
		{N: orphans, Text: "never announced", Href: "./integrations?state=unseen&sort=oldest", Advice: "Webhooks came for them, but not the one with the token. Mews will hardly send it now."},
		{N: contradictions, Text: "contradictory deliveries", Href: "./deliveries?show=contradictory", Advice: "Within the last 7 days."},
		{N: unread, Text: "deliveries not understood", Href: "./deliveries?show=not-understood", Advice: "Within the last 7 days, in whole or in part."},
		{N: dead, Text: "dead letters", Href: "./subscriptions", Advice: "Your own handler failed at these changes for good."},
	} {
		if one.N == 1 {
			one.Text = strings.NewReplacer("deliveries", "delivery", "letters", "letter").Replace(one.Text)
		}
		if one.N > 0 {
			p.Wants = append(p.Wants, one)
		}
	}
}

// alarmed returns the integrations with an alarm in the last days.
func (h *Handler) alarmed(r *request) map[string]bool {
	ids := map[string]bool{}
	h.tally.read(r.now, func(_ map[int64]*hour, alarms map[string]time.Time, _ float64) {
		for id := range alarms {
			ids[id] = true
		}
	})
	return ids
}

// staleView is how old the newest look at the journal may be.
const staleView = 35 * time.Second

// health fills in how the parts stand, and returns the number of dead letters.
func (h *Handler) health(r *request, p *overviewPage) (dead int) {
	sync := h.rack.SyncStatus()
	first, last, err := h.store.Bounds(r.Context())
	st := check{Name: "Store", Text: "answers; last read " + momentOf(sync.Synced, r.now).Ago}
	if sync.Err != nil || err != nil || r.now.Sub(sync.Looked) > staleView {
		st = check{"Store", "does not answer; verdicts rest on what was known " + momentOf(sync.Synced, r.now).Ago, true}
	}
	journal := check{Name: "Journal", Text: "ends at position " + number(int(last))}
	if first > 0 {
		journal.Text += ", is trimmed up to " + number(int(first))
	}
	view := check{Name: "View", Text: "is up to date"}
	if behind := last - min(sync.Position, last); behind > 0 && err == nil {
		view.Text = "is " + number(int(behind)) + " behind the journal"
		view.Bad = behind > 1000
	}
	probes := check{Name: "Probes", Text: "nobody asks Mews; only deliveries and your own reports count"}
	if h.options.Prober {
		probes.Text = "Mews is asked"
	}
	all, err, known := h.subs.read()
	subs := check{Name: "Subscriptions", Text: "none"}
	if !known {
		subs.Text = "being counted"
	} else if err != nil {
		subs = check{"Subscriptions", "cannot be read", true}
	} else if len(all) > 0 {
		var lag uint64
		for _, s := range all {
			dead += s.Dead
			lag = max(lag, uint64(last-min(s.Position, last)))
		}
		subs.Text = number(len(all)) + ", up to date"
		if lag > 0 {
			subs.Text = number(len(all)) + ", the slowest " + number(int(lag)) + " behind"
		}
		if subs.Bad = dead > 0; subs.Bad {
			subs.Text += "; " + several(dead, "dead letter", "dead letters")
		}
	}
	p.Health = []check{st, journal, view, probes, subs}
	return dead
}

// shares returns the parts of a line that is 480 wide.
func shares(counts []count, total int) (line []bar) {
	x := 0
	for i, c := range counts {
		w := 0
		if total > 0 {
			w = chartWidth * c.N / total
			if c.N > 0 {
				w = max(w, 4)
			}
		}
		if i == len(counts)-1 && c.N > 0 {
			w = max(4, chartWidth-x)
		}
		if w = min(w, chartWidth-x); w > 0 {
			line = append(line, bar{X: x, W: w, H: 12, Class: i})
		}
		x += w
	}
	return line
}
