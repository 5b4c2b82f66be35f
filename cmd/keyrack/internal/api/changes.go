package api

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	HeartbeatEvery = 15 * time.Second
	// refusalWithin is how long a stream waits with its headers, so that a trimmed
	// position can still be refused with a status.
	refusalWithin = 100 * time.Millisecond
	mostStreams   = 256
	// eventWithin is how long a reader may take to accept an event.
	eventWithin = 15 * time.Second
)

// changesQuery is the query of a stream of changes.
type changesQuery struct {
	after *store.Position      // nil: from now on
	kinds []keyrack.ChangeKind // empty: every entry of the journal
}

var ChangeKinds = []keyrack.ChangeKind{
	keyrack.ChangeStatus, keyrack.ChangeState, keyrack.ChangeToken, keyrack.ChangeAlarm, keyrack.ChangeAny,
}

// parseChangesQuery reads the query of a stream, or returns what is wrong with it.
func parseChangesQuery(req *http.Request) (q changesQuery, wrong string) {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return q, "the query is not valid"
	}
	after := req.Header.Get("Last-Event-ID")
	for name, values := range query {
		if len(values) > 1 {
			return q, "a parameter is there twice; remove one"
		}
		switch name {
		case "after":
			if after == "" { // a browser repeats the URL when it reconnects
				after = values[0]
			}
		case "kind":
			for kind := range strings.SplitSeq(values[0], ",") {
				if !slices.Contains(ChangeKinds, keyrack.ChangeKind(kind)) {
					return q, "kind must be a list of status, state, token, alarm and any"
				}
				q.kinds = append(q.kinds, keyrack.ChangeKind(kind))
			}
		default:
			return q, "unknown parameter; use after and kind"
		}
	}
	if after != "" {
		position, err := strconv.ParseUint(after, 10, 64)
		if err != nil {
			return q, "after must be the id of an event, or 0 for the oldest entry"
		}
		q.after = (*store.Position)(&position)
	}
	return q, ""
}

func (q *changesQuery) wants(e keyrack.Change) bool {
	return len(q.kinds) == 0 || slices.ContainsFunc(q.kinds, e.Has)
}

// changes streams the journal as server-sent events, until the reader goes or the process
// ends. The id of an event is its position.
func (a *Server) changes(w http.ResponseWriter, req *http.Request) {
	q, wrong := parseChangesQuery(req)
	if wrong != "" {
		refuse(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	if a.streams.Add(1) > mostStreams {
		a.streams.Add(-1)
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "too_many_streams", "too many streams are open; try again later")
		return
	}
	defer a.streams.Add(-1)
	if q.after == nil {
		latest, err := a.Rack.JournalEnd(req.Context())
		if err != nil {
			a.fail(w, req, err)
			return
		}
		q.after = &latest
	}
	s := stream{w: w, control: http.NewResponseController(w), wants: q.wants, grace: refusalWithin, passed: *q.after}
	_ = s.control.SetReadDeadline(time.Time{}) // of a request that has been read
	if req.Method == http.MethodHead {
		s.begin()
		return
	}
	s.run(req.Context(), func(ctx context.Context) iter.Seq2[keyrack.Change, error] {
		return a.Rack.Changes(ctx, *q.after)
	}, a.Ending)
}
