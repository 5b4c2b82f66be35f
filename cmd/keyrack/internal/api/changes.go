package api

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	changesPath   = "/v1/changes"
	// eventWithin is how long a reader may take to accept an event.
	eventWithin = 15 * time.Second
)

// changesQuery is the query of a stream of changes.
type changesQuery struct {
	after *store.Position      // nil: from now on
	kinds []keyrack.ChangeKind // empty: every entry of the journal
}

var ChangeKinds = []keyrack.ChangeKind{
	keyrack.ChangeStatus, keyrack.ChangeState, keyrack.ChangeToken, keyrack.ChangeAlarm, keyrack.ChangeSucceeded, keyrack.ChangeAny,
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
					return q, "kind must be a list of status, state, token, alarm, succeeded and any"
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

// streams counts the streams that are open, by the name of their key, so that one key leaves
// the others their share.
type streams struct {
	most int // of one key

	mu   sync.Mutex
	open map[string]int
}

// newStreams shares a number of streams between so many keys.
func newStreams(most, keys int) streams {
	if most == 0 {
		most = mostStreams
	}
	return streams{most: max(1, most/max(1, keys)), open: make(map[string]int)}
}

func (s *streams) begin(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] >= s.most {
		return false
	}
	s.open[key]++
	return true
}

func (s *streams) end(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[key]--
}

// changes streams the journal as server-sent events, until the reader goes or the process
// ends. The id of an event is its position.
func (a *Server) changes(w http.ResponseWriter, req *http.Request) {
	q, wrong := parseChangesQuery(req)
	if wrong != "" {
		refuse(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	caller := callerOf(req)
	if !a.streams.begin(caller) {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "too_many_streams", "too many streams of this key are open; close one, or try again later")
		return
	}
	defer a.streams.end(caller)
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
