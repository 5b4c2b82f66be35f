package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// listing is the query of a list. A nil filter matches everything.
type listing struct {
	enterprise string
	labels     Labels
	unnamed    bool
	state      *lifecycle.State
	status     *lifecycle.Status
	reason     *lifecycle.Reason
	after      string // an id
	limit      int
}

// parseListing reads the query of a list. It returns what is wrong with it, without quoting it.
func parseListing(rawQuery string) (l listing, wrong string) {
	l.limit = defaultLimit
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return l, "the query is not valid"
	}
	for name, values := range query {
		if len(values) > 1 {
			return l, "a parameter is there twice; remove one"
		}
		value := []byte(values[0])
		var err error
		switch name {
		case "enterprise":
			l.enterprise = lifecycle.CanonicalID(values[0])
		case "label":
			l.labels, err = ParseLabels(values[0])
		case "unnamed":
			l.unnamed, err = strconv.ParseBool(values[0])
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
			return l, "unknown parameter; use enterprise, label, unnamed, state, status, reason, after and limit"
		}
		if err != nil {
			return l, "the value of " + name + " is not valid; see openapi.json"
		}
	}
	return l, ""
}

func (l *listing) wants(r Row) bool {
	for key, value := range l.labels {
		if is, ok := r.Labels[key]; !ok || is != value {
			return false
		}
	}
	return (!l.unnamed || r.Nameless || r.Orphan) && (l.enterprise == "" || r.Enterprise != nil && r.Enterprise.ID == l.enterprise) &&
		(l.state == nil || *l.state == r.State) &&
		(l.status == nil || *l.status == r.Status) &&
		(l.reason == nil || *l.reason == r.Reason)
}

// IntegrationsPage is one page of a list, in byte order of the ids. Next, passed as after,
// asks for the next page; it is missing on the last one.
type IntegrationsPage struct {
	Integrations []Row  `json:"integrations"`
	Next         string `json:"next,omitempty"`
}

// pageOf reads the integrations from where the page begins, as far as it needs.
func (a *Server) pageOf(l listing) IntegrationsPage {
	p := IntegrationsPage{Integrations: []Row{}}
	for s := range a.Rack.SummariesAfter(l.after) {
		one := rowOf(&s)
		if !l.wants(one) {
			continue
		}
		if len(p.Integrations) == l.limit {
			p.Next = newCursor(idCursor, p.Integrations[l.limit-1].Integration.ID)
			break
		}
		p.Integrations = append(p.Integrations, one)
	}
	p.fit()
	return p
}

// pageBytes is the most bytes of a page's rows.
const pageBytes = 900 << 10

// fit ends a page early where its rows are too many bytes.
func (p *IntegrationsPage) fit() {
	bytes := 0
	for i, row := range p.Integrations {
		text, err := json.Marshal(row)
		if err != nil {
			return // the answer fails in the same way
		}
		if bytes += len(text) + 1; bytes > pageBytes && i > 0 {
			p.Next = newCursor(idCursor, p.Integrations[i-1].Integration.ID)
			p.Integrations = p.Integrations[:i]
			return
		}
	}
}

// list answers with one page of the integrations.
func (a *Server) list(w http.ResponseWriter, req *http.Request) {
	l, wrong := parseListing(req.URL.RawQuery)
	if wrong != "" {
		refuse(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	answer(w, http.StatusOK, a.pageOf(l))
}
