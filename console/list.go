package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

const perPage = 40

// listing is the query of a list of integrations. A nil filter matches everything.
type listing struct {
	status *lifecycle.Status
	reason *lifecycle.Reason
	state  *lifecycle.State
	alarms bool // those with an alarm that nothing has answered
	marked bool // those whose verdict is marked as in trouble
	words  []string
	label  string // key=value
	sort   string
	after  string // an id

	query url.Values // as it was understood
}

// sorts are the orders of a list, by the value of sort. The first is the default.
var sorts = []choice{
	{Value: "name", Text: "by name"},
	{Value: "oldest", Text: "oldest evidence first"},
	{Value: "newest", Text: "newest delivery first"},
}

// choice is one value of a select.
type choice struct {
	Value, Text string
	Chosen      bool
}

// parseListing reads a query. What it does not understand counts as not asked for.
func parseListing(query url.Values) listing {
	l := listing{sort: sorts[0].Value, query: url.Values{}}
	keep := func(name string) { l.query.Set(name, query.Get(name)) }
	if s := new(lifecycle.Status); s.UnmarshalText([]byte(query.Get("status"))) == nil {
		l.status = s
		keep("status")
	}
	if s := new(lifecycle.Reason); s.UnmarshalText([]byte(query.Get("reason"))) == nil {
		l.reason = s
		keep("reason")
	}
	if s := new(lifecycle.State); s.UnmarshalText([]byte(query.Get("state"))) == nil {
		l.state = s
		keep("state")
	}
	if l.alarms = query.Get("alarm") == "open"; l.alarms {
		keep("alarm")
	}
	if l.marked = query.Get("trouble") == "yes"; l.marked {
		keep("trouble")
	}
	if l.words = strings.Fields(fold(query.Get("q"))); len(l.words) > 0 {
		keep("q")
	}
	if key, value, ok := strings.Cut(query.Get("label"), "="); ok {
		if labels, err := lifecycle.NewLabels(map[string]string{key: value}); err == nil {
			l.label = string(labels)
			keep("label")
		}
	}
	if slices.ContainsFunc(sorts[1:], func(c choice) bool { return c.Value == query.Get("sort") }) {
		l.sort = query.Get("sort")
		keep("sort")
	}
	l.after = query.Get("after")
	return l
}

// href returns the address of the same list, after another row; after "" from its start.
func (l *listing) href(after string) string {
	q := url.Values{}
	maps.Copy(q, l.query)
	if after != "" {
		q.Set("after", after)
	}
	if len(q) == 0 {
		return "./integrations"
	}
	return "./integrations?" + q.Encode()
}

func (l *listing) wants(r *row) bool {
	if l.marked && !r.trouble {
		return false
	}
	if l.status != nil && *l.status != r.status || l.reason != nil && *l.reason != r.reason || l.state != nil && *l.state != r.state {
		return false
	}
	if key, value, ok := strings.Cut(l.label, "="); ok {
		if is, there := r.labels.Get(key); !there || is != value {
			return false
		}
	}
	for _, word := range l.words {
		if !strings.Contains(r.hay, word) {
			return false
		}
	}
	return true
}

// compare puts rows in order. The id makes it total.
func (l *listing) compare(a, b *row) int {
	n := 0
	switch l.sort {
	case "oldest":
		n = cmp.Compare(a.evidence, b.evidence)
	case "newest":
		n = cmp.Compare(b.arrived, a.arrived)
	default:
		n = strings.Compare(a.hay, b.hay)
	}
	if n == 0 {
		n = strings.Compare(a.id, b.id)
	}
	return n
}

// pick returns the first rows after the one that the query names, whether there are more,
// and how many there are in all.
func (l *listing) pick(rows []row, alarmed map[string]bool) (page []row, more bool, matches int) {
	var after *row
	for i := range rows {
		if l.after != "" && rows[i].id == l.after {
			after = &rows[i]
			break
		}
	}
	var best []*row
	for i := range rows {
		one := &rows[i]
		if !l.wants(one) || l.alarms && !(alarmed[one.id] && one.status == lifecycle.Unknown) {
			continue
		}
		matches++
		full := len(best) > perPage
		if after != nil && l.compare(one, after) <= 0 || full && l.compare(one, best[perPage]) >= 0 {
			continue
		}
		if full {
			best = best[:perPage]
		}
		at, _ := slices.BinarySearchFunc(best, one, l.compare)
		best = slices.Insert(best, at, one)
	}
	for i := range min(len(best), perPage) {
		page = append(page, *best[i])
	}
	return page, len(best) > perPage, matches
}

// unnamed heads an integration whose name nobody has told.
const unnamed = "No name yet"

// item is a row as a list shows it.
type item struct {
	Href, Title, Name, ID string // Name only where the title is another
	Status, Reason, State string
	Trouble               bool
	Evidence, Arrived     moment
}

func (r *request) item(one *row) item {
	hotel, name := plain(one.enterpriseName, inList), plain(one.name, inList)
	i := item{
		Href: integrationHref(one.id), ID: plain(one.id, inList), Title: cmp.Or(hotel, name, unnamed),
		Status: one.status.String(), Reason: words(one.reason.String()), State: words(one.state.String()),
		Trouble: one.trouble, Evidence: momentOf(one.evidence.Time(), r.now), Arrived: momentOf(one.arrived.Time(), r.now),
	}
	if hotel != "" {
		i.Name = name
	}
	return i
}

func integrationHref(id string) string { return "./integration?id=" + url.QueryEscape(id) }

// listPage is the page of a list.
type listPage struct {
	frame
	Statuses, Reasons, States, Sorts []choice
	Q, Label                         string
	Alarms, Trouble                  bool
	Filtered, Paged                  bool
	Items                            []item
	Matches                          int
	First, Next                      string
	Offers                           []offer
}

func (h *Handler) integrations(r *request) {
	l := parseListing(r.URL.Query())
	p := listPage{frame: r.frame("integrations", "Integrations"), Q: plain(strings.Join(strings.Fields(r.URL.Query().Get("q")), " "), inList), Label: plain(l.label, inList), Alarms: l.alarms, Trouble: l.marked}
	for s := range lifecycle.Invalid + 1 {
		p.Statuses = append(p.Statuses, choice{s.String(), s.String(), l.status != nil && *l.status == s})
	}
	slices.Reverse(p.Statuses)
	for _, reason := range reasons {
		p.Reasons = append(p.Reasons, choice{reason.String(), words(reason.String()), l.reason != nil && *l.reason == reason})
	}
	for _, s := range lifecycle.States() {
		p.States = append(p.States, choice{s.String(), words(s.String()), l.state != nil && *l.state == s})
	}
	for _, s := range sorts {
		p.Sorts = append(p.Sorts, choice{s.Value, s.Text, l.sort == s.Value})
	}
	p.Filtered, p.Paged = len(l.query) > 0, l.after != ""
	p.First, p.Offers = l.href(""), h.offers(r, url.Values{}, ActImport)
	alarmed := map[string]bool{}
	if l.alarms {
		alarmed = h.alarmed(r)
	}
	h.index.read(r.Context(), func(rows []row) {
		page, more, matches := l.pick(rows, alarmed)
		p.Matches = matches
		if matches == 0 {
			p.Q = "" // it may be a token
		}
		for i := range page {
			p.Items = append(p.Items, r.item(&page[i]))
		}
		if more {
			p.Next = l.href(page[len(page)-1].id)
		}
	})
	r.show(http.StatusOK, "integrations.html", p)
}

// reasons are all reasons by name.
var reasons = func() (all []lifecycle.Reason) {
	for reason := range because {
		all = append(all, reason)
	}
	slices.SortFunc(all, func(a, b lifecycle.Reason) int { return strings.Compare(a.String(), b.String()) })
	return all
}()

// find looks for what somebody typed or pasted. A token gets into no address: only what
// matches a name or an identifier does.
func (h *Handler) find(r *request) {
	r.Body = http.MaxBytesReader(r.w, r.Body, maxForm)
	text := strings.TrimSpace(r.PostFormValue("q"))
	if text == "" {
		r.leave("integrations")
		return
	}
	if id := typed.ID(text); id != "" {
		if record, known := h.rack.Record(id); known {
			r.leave(strings.TrimPrefix(integrationHref(record.ID), "./"))
			return
		}
	}
	if token, err := typed.Token(text); err == nil {
		if v := h.rack.Check(token.Reveal()); v.Integration != "" {
			r.leave(strings.TrimPrefix(integrationHref(v.Integration), "./"))
			return
		}
	}
	l := parseListing(url.Values{"q": {text}})
	var page []row
	h.index.read(r.Context(), func(rows []row) { page, _, _ = l.pick(rows, nil) })
	switch len(page) {
	case 0:
		r.fail(http.StatusNotFound, "Nothing found", "No hotel, enterprise, integration or token that is known here matches what you searched for. It is not shown again, because it may have been a token.")
	case 1:
		r.leave(strings.TrimPrefix(integrationHref(page[0].id), "./"))
	default:
		r.leave(strings.TrimPrefix(l.href(""), "./"))
	}
}
