package api

import (
	"net/http"
	"net/url"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/store"
)

// historyPage is one page of a history, oldest first. Next, passed as after, asks for the
// next page; it is missing on the last one.
type historyPage struct {
	Changes []Change `json:"changes"`
	Next    string   `json:"next,omitempty"`
}

// parseHistoryPage reads the query of a history. It returns what is wrong with it, without
// quoting it.
func parseHistoryPage(rawQuery string) (after store.EntryID, limit int, wrong string) {
	limit = defaultLimit
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return after, 0, "the query is not valid"
	}
	for name, values := range query {
		if len(values) > 1 {
			return after, 0, "a parameter is there twice; remove one"
		}
		var err error
		switch name {
		case "limit":
			limit, err = parseLimit(values[0])
		case "after":
			var last string
			if last, err = readCursor(entryCursor, values[0]); err == nil {
				err = after.UnmarshalText([]byte(last))
			}
		default:
			return after, 0, "unknown parameter; use after and limit"
		}
		if err != nil {
			return after, 0, "the value of " + name + " is not valid; see openapi.json"
		}
	}
	return after, limit, ""
}

// history answers with one page of what happened to an integration.
func (a *Server) history(w http.ResponseWriter, req *http.Request) {
	after, limit, wrong := parseHistoryPage(req.URL.RawQuery)
	if wrong != "" {
		refuse(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	id := req.PathValue("id")
	if _, ok := a.Rack.Record(id); !ok {
		refuseError(w, keyrack.ErrNotFound)
		return
	}
	key := a.access.who(req)
	operator := key != nil && key.scopes.allows(ScopeAdmin)
	c := historyPage{Changes: []Change{}}
	var last store.EntryID
	for e, err := range a.Rack.HistoryAfter(req.Context(), id, after) {
		if err != nil {
			a.fail(w, req, err)
			return
		}
		if len(c.Changes) == limit {
			c.Next = newCursor(entryCursor, last.String())
			break
		}
		one := changeOf(e)
		if operator {
			a.attribute(req.Context(), &e, &one)
		}
		c.Changes, last = append(c.Changes, one), e.ID
	}
	answer(w, http.StatusOK, c)
}
