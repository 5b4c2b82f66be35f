package console

import (
	"context"
	"math"
	"net/http"
	"slices"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/store"
)

type subscriptionsPage struct {
	frame
	All []subscriptionItem
}

type subscriptionItem struct {
	Name, Position, Lag string
	Paused              bool
	N, More             int // dead letters, and those that the page leaves out
	Dead                []letter
	Offers              []offer
}

type letter struct {
	Integration, Href, Entry string
	Hotel, What              string
	Attempts                 int
	At                       moment
	Offers                   []offer
}

// shownLetters is how many dead letters of one subscription a page lists.
const shownLetters = 25

func (h *Handler) subscriptions(r *request) {
	all, err := atrest.Subscriptions(r.Context(), h.store)
	if err != nil {
		r.failed(err)
		return
	}
	first, last, err := h.store.Bounds(r.Context())
	if err != nil {
		r.failed(err)
		return
	}
	p := subscriptionsPage{frame: r.frame("subscriptions", "Subscriptions")}
	if r.done != "" {
		p.Did = h.didLately(r, max(first, last-min(window, last)))
	}
	for _, s := range all {
		one := subscriptionItem{Name: plain(s.Name, inList), Position: number(int(s.Position)), Lag: several(int(last-min(s.Position, last)), "entry", "entries"), Paused: s.Paused, N: s.Dead}
		one.Offers = h.subscriptionOffers(r, &s)
		if s.Dead > 0 {
			letters, err := atrest.DeadLetters(r.Context(), h.store, s.Name)
			if err != nil {
				r.failed(err)
				return
			}
			slices.SortFunc(letters, func(a, b atrest.DeadLetter) int { return b.At.Compare(a.At) })
			one.More = max(0, len(letters)-shownLetters)
			for _, l := range letters[:min(len(letters), shownLetters)] {
				one.Dead = append(one.Dead, letter{
					Integration: plain(l.Integration, inList), Href: integrationHref(l.Integration), Entry: entryHref(l.Integration, l.Position),
					Hotel: h.hotel(l.Integration), What: h.whatAt(r.Context(), l.Position),
					Attempts: l.Attempts, At: momentOf(l.At, r.now), Offers: h.letterOffers(r, s.Name, l.Position),
				})
			}
		}
		p.All = append(p.All, one)
	}
	r.show(http.StatusOK, "subscriptions.html", p)
}

// whatAt names the evidence of an entry of the journal.
func (h *Handler) whatAt(ctx context.Context, at store.Position) string {
	found, err := h.between(ctx, at-1, at+1, func(*keyrack.Change) bool { return true })
	if err != nil || len(found) == 0 {
		return "position " + number(int(at)) // it was trimmed
	}
	return what(&found[0].Evidence)
}

// didLately says what the visitor has just done to a subscription: it is among the journal's
// last entries.
func (h *Handler) didLately(r *request, after store.Position) (did string) {
	_, _ = h.between(r.Context(), after, math.MaxInt64, func(c *keyrack.Change) bool {
		if did == "" {
			did = r.did(c)
		}
		return false
	})
	return did
}
