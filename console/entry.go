package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// entryPage is the page of one entry.
type entryPage struct {
	frame
	event
	Position, EntryID string
	Version           uint64
	Integration       string
	Claims            []fact
	Body              string
	NoBody            string
}

// fact is a name with a value.
type fact struct{ Name, Value string }

func (h *Handler) entry(r *request) {
	id := lifecycle.CanonicalID(r.URL.Query().Get("id"))
	at, err := strconv.ParseUint(r.URL.Query().Get("at"), 10, 64)
	if err != nil || at == 0 {
		r.failed(keyrack.ErrNotFound)
		return
	}
	of := func(c *keyrack.Change) bool { return c.Integration == id }
	found, err := h.between(r.Context(), store.Position(at-1), store.Position(at+1), of)
	switch {
	case err != nil && !errors.Is(err, store.ErrTrimmed):
		r.failed(err)
	case len(found) == 0:
		r.failed(keyrack.ErrNotFound)
	default:
		h.showEntry(r, &found[0])
	}
}

func (h *Handler) showEntry(r *request, c *keyrack.Change) {
	p := entryPage{
		frame: r.frame("deliveries", "Entry "+strconv.FormatUint(uint64(c.Position), 10)), event: h.event(r, c),
		Position: strconv.FormatUint(uint64(c.Position), 10), EntryID: c.ID.String(), Version: c.Version,
		Integration: plain(c.Integration, inFull),
	}
	p.Hotel = h.hotel(c.Integration)
	e := &c.Evidence
	add := func(name, value string) {
		if value = plain(value, inFull); value != "" {
			p.Claims = append(p.Claims, fact{name, value})
		}
	}
	if e.Token != (lifecycle.Digest{}) {
		add("Token", e.Token.String()+" (a digest)")
	}
	add("Enterprise", strings.TrimSpace(e.Enterprise.Name+" "+e.Enterprise.ID))
	add("Service", strings.TrimSpace(e.Service.Name+" "+e.Service.ID))
	if e.Began != 0 {
		add("The request began", e.Began.String())
	}
	add("Labels set", strings.ReplaceAll(string(e.Labels), ",", " "))
	add("Labels removed", strings.ReplaceAll(e.Unlabel, ",", " "))
	add("By", e.By)
	add("Could not be read", e.Unread)
	add("Cause", c.Decision.Cause)
	if e.Kind == lifecycle.KindDelivery {
		body, err := h.rack.Body(r.Context(), c.ID, r.visitor.Persons)
		if err != nil {
			p.NoBody = "The body was erased or cannot be opened."
		} else {
			var lines []string
			for line := range strings.Lines(string(body)) {
				indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
				lines = append(lines, indent+plain(line, 2*inFull))
			}
			p.Body = strings.Join(lines, "\n")
		}
	}
	r.show(http.StatusOK, "entry.html", p)
}
