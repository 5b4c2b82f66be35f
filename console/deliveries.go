package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// shows are what a list of the journal can be reduced to. The first is the default.
var shows = []struct {
	choice
	wants func(*keyrack.Change) bool
}{
	{choice{Value: "", Text: "everything"}, func(*keyrack.Change) bool { return true }},
	{choice{Value: "changed", Text: "verdict changed"}, func(c *keyrack.Change) bool { return c.Has(keyrack.ChangeStatus) }},
	{choice{Value: "not-understood", Text: "not understood"}, func(c *keyrack.Change) bool { return notUnderstood(&c.Evidence, &c.Decision) }},
	{choice{Value: "stale", Text: "after a deletion"}, func(c *keyrack.Change) bool { return c.Decision.Outcome == lifecycle.Stale }},
	{choice{Value: "contradictory", Text: "contradictory"}, func(c *keyrack.Change) bool { return c.Decision.Outcome == lifecycle.Conflict }},
	{choice{Value: "alarms", Text: "alarms"}, func(c *keyrack.Change) bool { return c.Decision.Alarm }},
	{choice{Value: "by-hand", Text: "by hand"}, func(c *keyrack.Change) bool { return entry.ByHand(c.Evidence.Kind) }},
}

// refused is the show of what never got into the journal.
const refused = "refused"

func entryHref(integration string, at store.Position) string {
	return "./entry?id=" + url.QueryEscape(integration) + "&at=" + strconv.FormatUint(uint64(at), 10)
}

// The search of the journal goes back in windows of positions, newest first, and gives up
// for the time being when it takes too long: the page then offers to go on.
const (
	window     = 256
	searchTime = 30 * time.Millisecond
)

type deliveriesPage struct {
	frame
	Shows    []choice // with addresses as values
	Refused  bool
	Reasons  []count // of refused requests
	Recent   []refusal
	Known    bool // whether the handler of webhooks is known
	Events   []event
	Older    string
	Newest   string
	Searched bool // the search gave up before it had a whole page
}

type refusal struct {
	At                        moment
	Reason, Digest, Len, Hint string
}

func (h *Handler) deliveries(r *request) {
	query := r.URL.Query()
	p := deliveriesPage{frame: r.frame("deliveries", "Deliveries"), Known: h.options.Webhooks != nil}
	chosen := 0
	for i, s := range shows {
		if s.Value == query.Get("show") {
			chosen = i
		}
	}
	p.Refused = query.Get("show") == refused
	for i, s := range shows {
		p.Shows = append(p.Shows, choice{showHref(s.Value, 0), s.Text, i == chosen && !p.Refused})
	}
	p.Shows = append(p.Shows, choice{showHref(refused, 0), "refused", p.Refused})
	if p.Refused {
		p.refusals(r, h.options.Webhooks)
		r.show(http.StatusOK, "deliveries.html", p)
		return
	}
	before := store.Position(0)
	if n, err := strconv.ParseUint(query.Get("before"), 10, 64); err == nil {
		before = store.Position(n)
		p.Newest = showHref(shows[chosen].Value, 0)
	}
	found, next, err := h.back(r.Context(), before, shows[chosen].wants)
	if err != nil {
		r.failed(err)
		return
	}
	for i := range found {
		if p.Did == "" {
			p.Did = r.did(&found[i])
		}
		one := h.event(r, &found[i])
		one.Hotel = h.hotel(found[i].Integration)
		p.Events = append(p.Events, one)
	}
	if next > 0 {
		p.Older, p.Searched = showHref(shows[chosen].Value, next), len(found) < entriesPerPage
	}
	r.show(http.StatusOK, "deliveries.html", p)
}

func showHref(show string, before store.Position) string {
	q := url.Values{}
	if show != "" {
		q.Set("show", show)
	}
	if before > 0 {
		q.Set("before", strconv.FormatUint(uint64(before), 10))
	}
	if len(q) == 0 {
		return "./deliveries"
	}
	return "./deliveries?" + q.Encode()
}

// back returns a page of the journal's entries before a position, newest first, 0 meaning
// its end, and the position before which the next page begins; 0 if there is none.
func (h *Handler) back(ctx context.Context, before store.Position, wants func(*keyrack.Change) bool) (found []keyrack.Change, next store.Position, err error) {
	first, last, err := h.store.Bounds(ctx)
	if err != nil {
		return nil, 0, err
	}
	if before == 0 || before > last {
		before = last + 1
	}
	began, size := time.Now(), store.Position(window)
	for before > first+1 && len(found) < entriesPerPage {
		if time.Since(began) > searchTime {
			return found, before, nil
		}
		from := max(first, before-1-min(size, before-1))
		part, err := h.between(ctx, from, before, wants)
		if errors.Is(err, store.ErrTrimmed) {
			return found, 0, nil // it was trimmed meanwhile
		}
		if err != nil {
			return nil, 0, err
		}
		slices.Reverse(part)
		found = append(found, part...)
		before = from + 1
		if len(part) == 0 {
			size *= 2 // positions may have gaps
		}
	}
	if len(found) > entriesPerPage {
		found = found[:entriesPerPage]
		return found, found[entriesPerPage-1].Position, nil
	}
	if before > first+1 {
		return found, before, nil
	}
	return found, 0, nil
}

// between returns the wanted entries after one position and before another, oldest first.
func (h *Handler) between(ctx context.Context, after, before store.Position, wants func(*keyrack.Change) bool) (found []keyrack.Change, err error) {
	for e, err := range h.store.Journal(ctx, after) {
		if err != nil {
			return nil, err
		}
		if e.Position >= before {
			break
		}
		evidence, j, err := entry.Parse(e)
		if err != nil {
			continue // a newer version wrote it
		}
		c := keyrack.Change{
			Position: e.Position, ID: e.ID, Integration: lifecycle.CanonicalID(e.Integration), Version: e.Version, At: e.At.Time(),
			Evidence: evidence, Decision: j.Decision, Was: j.Was, Is: j.Is, Reason: j.Reason, NewToken: j.NewToken, Response: e.Response,
		}
		if wants(&c) {
			found = append(found, c)
		}
	}
	return found, nil
}

// refusals fills in the requests that were refused. None of them is in the journal.
func (p *deliveriesPage) refusals(r *request, webhooks *keyrack.Handler) {
	if webhooks == nil {
		return
	}
	counts, recent := webhooks.Refused()
	for reason, n := range counts {
		p.Reasons = append(p.Reasons, count{N: int(n), Text: refusedFor(reason)})
	}
	slices.SortFunc(p.Reasons, func(a, b count) int { return cmp.Or(b.N-a.N, strings.Compare(a.Text, b.Text)) })
	for _, one := range slices.Backward(recent) {
		p.Recent = append(p.Recent, refusal{momentOf(one.At, r.now), refusedFor(one.Refusal), one.Digest, number(one.Size), capital(one.Hint) + "."})
	}
}

// refusedFor says in words why a request was refused.
func refusedFor(why keyrack.Refusal) string {
	switch why {
	case keyrack.RefusedPath:
		return "Another path"
	case keyrack.RefusedMethod:
		return "Not a POST"
	case keyrack.RefusedSecret:
		return "Wrong or missing secret"
	case keyrack.RefusedSize:
		return "Body too large"
	case keyrack.RefusedBody:
		return "Body not whole"
	case keyrack.RefusedSyntax:
		return "Body not JSON"
	case keyrack.RefusedStore:
		return "Store failed"
	case keyrack.RefusedFull:
		return "Too many integrations"
	}
	return capital(string(why))
}
