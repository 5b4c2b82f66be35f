package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	defaultLimit = 100 // rows on a page
	mostLimit    = 1000
)

// listing is what a list was asked for. A nil filter lets everything pass.
type listing struct {
	enterprise string
	state      *lifecycle.State
	status     *lifecycle.Status
	reason     *lifecycle.Reason
	after      string // an id
	limit      int
}

// A cursor is opaque to whoever gets it. Inside, a mark says of what it is, and
// the last on the page follows.
const (
	idCursor       = "id:"
	positionCursor = "position:"
)

func newCursor(mark, last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(mark + last))
}

func readCursor(mark, cursor string) (last string, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	last, ok := strings.CutPrefix(string(text), mark)
	if err == nil && !ok {
		err = strconv.ErrSyntax
	}
	return last, err
}

func parseLimit(text string) (limit int, err error) {
	limit, err = strconv.Atoi(text)
	if err == nil && (limit < 1 || limit > mostLimit) {
		err = strconv.ErrRange
	}
	return limit, err
}

// parseListing reads the query of a list. It returns what is wrong with it, in
// words that quote nothing of it.
func parseListing(rawQuery string) (l listing, wrong string) {
	l.limit = defaultLimit
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return l, "the query cannot be read"
	}
	for name, values := range query {
		if len(values) > 1 {
			return l, "a parameter is there twice"
		}
		value := []byte(values[0])
		var err error
		switch name {
		case "enterprise":
			l.enterprise = values[0]
		case "state":
			l.state = new(lifecycle.State)
			err = l.state.UnmarshalText(value)
		case "status":
			l.status = new(lifecycle.Status)
			err = l.status.UnmarshalText(value)
		case "reason":
			l.reason = new(lifecycle.Reason)
			err = l.reason.UnmarshalText(value)
		case "limit":
			l.limit, err = parseLimit(values[0])
		case "after":
			l.after, err = readCursor(idCursor, values[0])
		default:
			return l, "there is no such parameter; there are enterprise, state, status, reason, after and limit"
		}
		if err != nil {
			return l, "the value of " + name + " is none that it can have"
		}
	}
	return l, ""
}

func (l *listing) wants(r row) bool {
	return (l.enterprise == "" || r.Enterprise != nil && r.Enterprise.ID == l.enterprise) &&
		(l.state == nil || *l.state == r.State) &&
		(l.status == nil || *l.status == r.Status) &&
		(l.reason == nil || *l.reason == r.Reason)
}

// page is one page of a list, in byte order of the ids. Next, as after, asks for
// what follows; it is missing on the last page.
type page struct {
	Integrations []row  `json:"integrations"`
	Next         string `json:"next,omitempty"`
}

// pageOf looks at every integration once and keeps the first few.
func (a *api) pageOf(l listing) page {
	rows := make([]row, 0, min(l.limit+1, defaultLimit+1))
	byID := func(r row, id string) int { return strings.Compare(r.Integration.ID, id) }
	for record := range a.rack.Integrations() {
		full := len(rows) > l.limit
		if record.ID <= l.after || full && record.ID > rows[l.limit].Integration.ID {
			continue
		}
		one := rowOf(&record, a.rack.Integration(record.ID))
		if !l.wants(one) {
			continue
		}
		if full {
			rows = rows[:l.limit]
		}
		at, there := slices.BinarySearchFunc(rows, record.ID, byID)
		if !there {
			rows = slices.Insert(rows, at, one)
		}
	}
	p := page{Integrations: rows}
	if len(rows) > l.limit {
		p.Integrations = rows[:l.limit]
		p.Next = newCursor(idCursor, rows[l.limit-1].Integration.ID)
	}
	return p
}

// list answers with one page of the integrations.
func (a *api) list(w http.ResponseWriter, req *http.Request) {
	l, wrong := parseListing(req.URL.RawQuery)
	if wrong != "" {
		refuse(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	answer(w, http.StatusOK, a.pageOf(l))
}

// show answers with one integration.
func (a *api) show(w http.ResponseWriter, req *http.Request) {
	id := req.PathValue("id")
	record, ok := a.rack.Record(id)
	if !ok {
		refuseError(w, keyrack.ErrNotFound)
		return
	}
	answer(w, http.StatusOK, integrationOf(&record, a.rack.Integration(id), time.Now()))
}

// chapter is one page of a history, oldest first. Next, as after, asks for what
// follows; it is missing on the last page.
type chapter struct {
	Entries []entryDocument `json:"entries"`
	Next    string          `json:"next,omitempty"`
}

// parseChapter reads the query of a history. It returns what is wrong with it, in
// words that quote nothing of it.
func parseChapter(rawQuery string) (after store.Position, limit int, wrong string) {
	limit = defaultLimit
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return 0, 0, "the query cannot be read"
	}
	for name, values := range query {
		if len(values) > 1 {
			return 0, 0, "a parameter is there twice"
		}
		var err error
		switch name {
		case "limit":
			limit, err = parseLimit(values[0])
		case "after":
			var last string
			if last, err = readCursor(positionCursor, values[0]); err == nil {
				var position uint64
				position, err = strconv.ParseUint(last, 10, 64)
				after = store.Position(position)
			}
		default:
			return 0, 0, "there is no such parameter; there are after and limit"
		}
		if err != nil {
			return 0, 0, "the value of " + name + " is none that it can have"
		}
	}
	return after, limit, ""
}

// history answers with one page of what happened to an integration, oldest first.
func (a *api) history(w http.ResponseWriter, req *http.Request) {
	after, limit, wrong := parseChapter(req.URL.RawQuery)
	if wrong != "" {
		refuse(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	id := req.PathValue("id")
	if _, ok := a.rack.Record(id); !ok {
		refuseError(w, keyrack.ErrNotFound)
		return
	}
	c := chapter{Entries: []entryDocument{}}
	for e, err := range a.rack.History(req.Context(), id) {
		if err != nil {
			a.fail(w, req, err)
			return
		}
		if e.Position <= after {
			continue
		}
		if len(c.Entries) == limit {
			last := c.Entries[limit-1].Position
			c.Next = newCursor(positionCursor, strconv.FormatUint(uint64(last), 10))
			break
		}
		c.Entries = append(c.Entries, entryOf(e))
	}
	answer(w, http.StatusOK, c)
}

// explain answers why the verdict on an integration's current token is what it is.
func (a *api) explain(w http.ResponseWriter, req *http.Request) {
	e, err := a.rack.Explain(req.Context(), req.PathValue("id"))
	switch {
	case err != nil:
		a.fail(w, req, err)
	case prefersText(req.Header.Get("Accept")):
		say(w, http.StatusOK, e.String())
	default:
		answer(w, http.StatusOK, explanationOf(e))
	}
}

// prefersText tells whether an Accept header wants plain text rather than JSON.
func prefersText(accept string) bool {
	quality := map[string]float64{}
	for one := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		q := 1.0
		if given, ok := params["q"]; ok {
			q, _ = strconv.ParseFloat(given, 64)
		}
		quality[media] = max(quality[media], q)
	}
	return quality["text/plain"] > max(quality["application/json"], quality["application/*"])
}

// tokenAnswer is a token that is handed out, with the verdict on it.
type tokenAnswer struct {
	Token string `json:"token"`
	introspection
}

// token hands out an integration's current token, with the verdict on it, unless
// that is invalid. The journal has it first.
func (a *api) token(w http.ResponseWriter, req *http.Request) {
	caller := req.PathValue("key")
	token, v, err := a.rack.HandOut(req.Context(), req.PathValue("id"), caller)
	if err != nil {
		a.fail(w, req, err)
		return
	}
	a.meter.handedOut(caller)
	answer(w, http.StatusOK, tokenAnswer{token.Reveal(), introspectionOf(v, time.Now())})
}

// fail answers with an error of the rack's, and logs what is not the caller's.
func (a *api) fail(w http.ResponseWriter, req *http.Request, err error) {
	if refuseError(w, err) == http.StatusServiceUnavailable && req.Context().Err() == nil {
		a.log.Error("a question could not be answered", "error", err)
	}
}

// refuseError answers with an error of the rack's, and returns the status.
func refuseError(w http.ResponseWriter, err error) int {
	var inactive *keyrack.NotActiveError
	switch {
	case errors.As(err, &inactive):
		refuse(w, http.StatusConflict, "not_active", fmt.Sprintf("the verdict on its token is %v: %v", inactive.Verdict.Status, inactive.Verdict.Reason))
		return http.StatusConflict
	case errors.Is(err, keyrack.ErrNoToken):
		refuse(w, http.StatusNotFound, "no_token", "the integration has no token: it is deleted, or its IntegrationCreated has not come")
		return http.StatusNotFound
	case errors.Is(err, keyrack.ErrNotFound):
		refuse(w, http.StatusNotFound, "not_found", "nothing is known of that")
		return http.StatusNotFound
	}
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, "unavailable", "the store did not answer; nothing can be said")
	return http.StatusServiceUnavailable
}
