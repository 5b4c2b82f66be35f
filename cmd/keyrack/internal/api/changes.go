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
	// refusalWithin is how long the stream of changes waits with its headers, so
	// that a position that was trimmed can still be answered with a status.
	refusalWithin = 100 * time.Millisecond
	mostStreams   = 256
	// eventWithin is how long a reader may take to accept an event.
	eventWithin = 15 * time.Second
)

// following is what a stream was asked for.
type following struct {
	after *store.Position      // nil: what is new from now on
	kinds []keyrack.ChangeKind // empty: every entry of the journal
}

var ChangeKinds = []keyrack.ChangeKind{
	keyrack.ChangeStatus, keyrack.ChangeState, keyrack.ChangeToken, keyrack.ChangeAlarm, keyrack.ChangeAny,
}

// parseFollowed reads what a stream was asked for, or returns what is wrong.
func parseFollowed(req *http.Request) (f following, wrong string) {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return f, "the query cannot be read"
	}
	after := req.Header.Get("Last-Event-ID")
	for name, values := range query {
		if len(values) > 1 {
			return f, "a parameter is there twice"
		}
		switch name {
		case "after":
			if after == "" { // a browser repeats the URL when it connects again
				after = values[0]
			}
		case "kind":
			for kind := range strings.SplitSeq(values[0], ",") {
				if !slices.Contains(ChangeKinds, keyrack.ChangeKind(kind)) {
					return f, "the value of kind is none that it can have; there are status, state, token, alarm and any"
				}
				f.kinds = append(f.kinds, keyrack.ChangeKind(kind))
			}
		default:
			return f, "there is no such parameter; there are after and kind"
		}
	}
	if after != "" {
		position, err := strconv.ParseUint(after, 10, 64)
		if err != nil {
			return f, "after is the id of an event, or 0 for everything that is left"
		}
		f.after = (*store.Position)(&position)
	}
	return f, ""
}

func (f *following) wants(e keyrack.Entry) bool {
	return len(f.kinds) == 0 || slices.ContainsFunc(f.kinds, e.Has)
}

// changes streams the journal as server-sent events, until who reads it goes, or
// we do. The id of an event is its position.
func (a *Server) changes(w http.ResponseWriter, req *http.Request) {
	f, wrong := parseFollowed(req)
	if wrong != "" {
		refuse(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	if a.streams.Add(1) > mostStreams {
		a.streams.Add(-1)
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "too_many_streams", "too many follow the changes already")
		return
	}
	defer a.streams.Add(-1)
	if f.after == nil {
		latest, err := a.Rack.Latest(req.Context())
		if err != nil {
			a.fail(w, req, err)
			return
		}
		f.after = &latest
	}
	s := stream{w: w, control: http.NewResponseController(w), wants: f.wants, grace: refusalWithin, passed: *f.after}
	_ = s.control.SetReadDeadline(time.Time{}) // of a request that has been read
	if req.Method == http.MethodHead {
		s.begin()
		return
	}
	s.run(req.Context(), func(ctx context.Context) iter.Seq2[keyrack.Entry, error] {
		return a.Rack.Changes(ctx, *f.after)
	}, a.Ending)
}
