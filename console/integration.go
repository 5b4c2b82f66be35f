package console

import (
	"cmp"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// entriesPerPage is how much of a timeline a page shows. A page has to stay small enough to
// be there at once over a telephone.
const entriesPerPage = 25

// event is an entry of the journal as a page shows it.
type event struct {
	When     moment
	What     string
	Outcome  string
	Tone     string // of the outcome: "good", "quiet" or "odd"
	Cause    string
	Was, Is  string // the verdict's status, where it changed
	Reason   string
	By       string
	Who, Why string // had it done by hand, for those who may see persons
	Answered string // the status and the time of the answer
	Unread   string
	Alarm    bool
	Moved    string // the state afterwards, where it changed

	At, Entry                string // addresses of the page as it was then, and of the entry
	Integration, Href, Hotel string // for a list of several integrations
	Current                  bool   // the page shows how things were after this entry
}

func (h *Handler) event(r *request, c *keyrack.Change) event {
	e := event{
		When: momentOf(c.At, r.now), What: what(&c.Evidence), Outcome: c.Decision.Outcome.String(), Tone: tone(c.Decision.Outcome),
		Cause: c.Decision.Cause, Reason: words(c.Reason.String()), By: plain(c.Evidence.By, inList),
		Unread: plain(c.Evidence.Unread, inList), Alarm: c.Decision.Alarm,
	}
	if r.visitor.Persons && entry.ByHand(c.Evidence.Kind) {
		if body, err := h.rack.Body(r.Context(), c.ID, true); err == nil { // else nobody said, or it was erased
			who, why := entry.ReadSaid(body)
			e.Who, e.Why = plain(who, inFull), plain(why, inFull)
		}
	}
	if c.Has(keyrack.ChangeStatus) {
		e.Was, e.Is = c.Was.String(), c.Is.String()
	}
	if c.Decision.From != c.Decision.To {
		e.Moved = words(c.Decision.To.String())
	}
	if c.Response.Status != 0 {
		e.Answered = fmt.Sprintf("answered %d in %.3g ms", c.Response.Status, float64(c.Response.Took.Microseconds())/1000)
	}
	if c.Position != 0 {
		at := strconv.FormatUint(uint64(c.Position), 10)
		e.Entry = "./entry?id=" + url.QueryEscape(c.Integration) + "&at=" + at
		if c.Integration != "" {
			e.At = integrationHref(c.Integration) + "&at=" + at
		}
	}
	if c.Integration != "" {
		e.Integration, e.Href = plain(c.Integration, inList), integrationHref(c.Integration)
	}
	return e
}

// hotel returns what the hotel of an integration is called, or else the integration; "" where
// nobody has told.
func (h *Handler) hotel(id string) string {
	record, _ := h.rack.Record(id)
	return hotelOf(record.Enterprise.Name, record.Name)
}

// hotelOf returns what a hotel is called: the enterprise, or else the integration.
func hotelOf(enterprise, integration string) string {
	return cmp.Or(plain(enterprise, inList), plain(integration, inList))
}

func tone(o lifecycle.Outcome) string {
	switch o {
	case lifecycle.Applied, lifecycle.Reconciled:
		return "good"
	case lifecycle.Duplicate, lifecycle.Fenced, lifecycle.Parked:
		return "quiet"
	}
	return "odd"
}

// key is a token's digest and what is known of it.
type key struct {
	Digest, Status, From, Answer, Dispute string
	Since, Until, Asked, Proved           moment
}

// forbidden is an operation that the application lacks the permission for.
type forbidden struct {
	Name  string
	Since moment
}

// integrationPage is the page of one integration, now or as it was.
type integrationPage struct {
	frame
	ID, Hotel, Name, Enterprise, Service string
	EnterpriseHref                       string
	Labels                               []link
	Status, Reason, State                string
	Sentence                             string
	Advice                               string // what to do
	Would                                []string
	Created, Deleted                     moment
	Hotelwards, Mewswards                string // texts to copy
	Keys                                 []key
	Machine                              machine
	Probe                                keyrack.ProbeState
	Asked, Due                           moment
	Prober                               bool

	Trouble     bool
	Forbidden   []forbidden
	Offers      []offer
	Past        bool // as it was
	Then        moment
	Present     string // the address of the page of now
	Events      []event
	Older, Home string
}

// link is a text that leads somewhere.
type link struct{ Href, Text string }

func (h *Handler) integration(r *request) {
	query := r.URL.Query()
	id := query.Get("id")
	p := integrationPage{Prober: h.options.Prober, Past: query.Get("at") != ""}
	var e keyrack.Explanation
	at, err := strconv.ParseUint(query.Get("at"), 10, 64)
	now := r.now
	switch {
	case !p.Past:
		e, err = h.rack.Explain(r.Context(), id)
	case err != nil:
		err = keyrack.ErrNotFound
	default:
		e, err = h.rack.ExplainAt(r.Context(), id, store.Position(at))
		p.Then, now = momentOf(e.At, r.now), e.At
	}
	if err != nil {
		r.failed(err)
		return
	}
	record := &e.Record
	p.Present = integrationHref(record.ID)
	title := cmp.Or(hotelOf(record.Enterprise.Name, record.Name), unnamed)
	p.frame = r.frame("integrations", title)
	p.ID, p.Name = plain(record.ID, inFull), plain(record.Name, inFull)
	p.Hotel, p.Enterprise, p.Service = plain(record.Enterprise.Name, inFull), plain(record.Enterprise.ID, inFull), plain(record.Service.Name, inFull)
	if record.Enterprise.ID != "" {
		p.EnterpriseHref = "./integrations?q=" + url.QueryEscape(record.Enterprise.ID)
	}
	for key, value := range record.Labels.All() {
		one := key + "=" + value
		p.Labels = append(p.Labels, link{"./integrations?label=" + url.QueryEscape(one), plain(one, inList)})
	}
	v := e.Verdict
	p.Status, p.Reason, p.State = v.Status.String(), words(v.Reason.String()), words(record.State.String())
	p.Trouble = v.Trouble
	for _, o := range record.Operations {
		if o.Lacks(lifecycle.At(now)) {
			p.Forbidden = append(p.Forbidden, forbidden{cmp.Or(plain(o.Name, inList), "other operations"), momentOf(o.Forbidden.Time(), r.now)})
		}
	}
	p.Sentence, p.Would = sentence(v, now), e.WouldChange
	if !p.Past {
		p.Advice = whatToDo(e.Advice)
	}
	p.Created, p.Deleted = momentOf(record.CreatedUtc.Time(), r.now), momentOf(record.DeletedUtc.Time(), r.now)
	p.Machine = machineOf(e.Changes, record.State)
	p.Hotelwards, p.Mewswards = hotelwards(record, v), mewswards(&e)
	for i := range record.Keys {
		p.Keys = append(p.Keys, r.key(&record.Keys[i]))
	}
	slices.Reverse(p.Keys)
	if !p.Past {
		all := []Act{ActProbe, ActSettle, ActImport, ActLabel, ActErase, ActForget}
		if join.IsNameless(record.ID) {
			all = []Act{ActProbe, ActName, ActLabel, ActErase, ActForget}
		}
		p.Offers = h.offers(r, url.Values{"id": {record.ID}}, all...)
		p.Probe, p.Asked, p.Due = e.Probe, momentOf(e.Probe.Asked, r.now), momentOf(e.Probe.Due, r.now)
	}
	for i := range e.Changes {
		if p.Did == "" {
			p.Did = r.did(&e.Changes[i])
		}
	}
	if err := p.timeline(h, r, h.since(r, &e), store.Position(at)); err != nil {
		r.failed(err)
		return
	}
	r.show(http.StatusOK, "integration.html", p)
}

// since returns the changes of an explanation, and those after it if it is of the past.
func (h *Handler) since(r *request, e *keyrack.Explanation) iter.Seq2[keyrack.Change, error] {
	return func(yield func(keyrack.Change, error) bool) {
		for i := range e.Changes {
			if !yield(e.Changes[i], nil) {
				return
			}
		}
		if n := len(e.Changes); n > 0 && r.URL.Query().Get("at") != "" {
			for c, err := range h.rack.HistoryAfter(r.Context(), e.Record.ID, e.Changes[n-1].ID) {
				if !yield(c, err) {
					return
				}
			}
		}
	}
}

// timeline fills in the entries, newest first: those before a position that the query names.
// Of a long history it holds no more than a page.
func (p *integrationPage) timeline(h *Handler, r *request, history iter.Seq2[keyrack.Change, error], at store.Position) error {
	query := url.Values{"id": {r.URL.Query().Get("id")}}
	if p.Past {
		query.Set("at", strconv.FormatUint(uint64(at), 10))
	}
	before, err := strconv.ParseUint(r.URL.Query().Get("before"), 10, 64)
	paged := err == nil
	if paged {
		p.Home = "./integration?" + query.Encode() + "#timeline"
	}
	page := make([]keyrack.Change, 0, 2*entriesPerPage)
	for c, err := range history {
		if err != nil {
			return err
		}
		if paged && (c.Position == 0 || uint64(c.Position) >= before) {
			break
		}
		if len(page) == 2*entriesPerPage {
			page = slices.Delete(page, 0, entriesPerPage)
		}
		page = append(page, c)
	}
	more := len(page) > entriesPerPage
	page = page[max(0, len(page)-entriesPerPage):]
	for i := range slices.Backward(page) {
		e := h.event(r, &page[i])
		e.At = strings.TrimPrefix(e.At, "./integration") // this page: it has to stay small
		e.Current = p.Past && page[i].Position == at
		p.Events = append(p.Events, e)
	}
	if more {
		query.Set("before", strconv.FormatUint(uint64(page[0].Position), 10))
		p.Older = "./integration?" + query.Encode() + "#timeline"
	}
	return nil
}

func (r *request) key(k *lifecycle.Key) key {
	one := key{
		Digest: k.Digest.String(), Status: k.Status.String(), From: "import by hand", Dispute: k.Dispute,
		Since: momentOf(k.Since.Time(), r.now), Until: momentOf(k.Until.Time(), r.now),
		Asked: momentOf(k.Began.Time(), r.now), Proved: momentOf(k.Proved.Time(), r.now),
	}
	if k.From != lifecycle.ActionUnknown {
		one.From = k.From.String()
	}
	if k.Answer != lifecycle.NoAnswer {
		one.Answer = answerOf(k.Answer)
	}
	return one
}

// hotelwards is a text for the hotel. It says nothing that the hotel does not know.
func hotelwards(record *keyrack.Record, v keyrack.Verdict) string {
	text := ask[v.Reason]
	if text == "" {
		text = "We are clarifying with Mews how the connection stands. There is nothing for you to do yet."
	}
	var b strings.Builder
	b.WriteString("About: ")
	if name := plain(record.Enterprise.Name, inList); name != "" {
		b.WriteString(name + ", ")
	}
	b.WriteString("integration " + plain(record.ID, inList) + "\n\n" + text + "\n")
	return b.String()
}

// quoted is how many entries a text for Mews's support quotes.
const quoted = 8

// mewswards is a text for Mews's support: identifiers, times and actions.
func mewswards(e *keyrack.Explanation) string {
	var b strings.Builder
	record := &e.Record
	fmt.Fprintf(&b, "Integration: %s\n", plain(record.ID, inList))
	if record.Enterprise.ID != "" {
		fmt.Fprintf(&b, "Enterprise: %s %s\n", plain(record.Enterprise.ID, inList), plain(record.Enterprise.Name, inList))
	}
	fmt.Fprintf(&b, "As of %s we hold the token to be %v: %s\n\nWhat we received (UTC):\n",
		e.At.UTC().Format("2006-01-02 15:04:05Z"), e.Verdict.Status, because[e.Verdict.Reason])
	for i := max(0, len(e.Changes)-quoted); i < len(e.Changes); i++ {
		c := &e.Changes[i]
		fmt.Fprintf(&b, "%s  %s\n", c.At.UTC().Format("2006-01-02 15:04:05Z"), what(&c.Evidence))
	}
	return b.String()
}
