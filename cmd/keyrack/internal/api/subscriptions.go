package api

import (
	"net/http"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/store"
)

// Subscription is where a subscription stands.
type Subscription struct {
	Name     string         `json:"name"`
	Position store.Position `json:"position"` // everything up to it is handled
	Lag      uint64         `json:"lag"`      // positions between it and the end of the journal
	Paused   bool           `json:"paused"`
	Dead     int            `json:"dead_letters"`
}

func (a *Server) subscriptions(w http.ResponseWriter, req *http.Request) {
	all, err := atrest.Subscriptions(req.Context(), a.Rack.Store())
	if err != nil {
		a.fail(w, req, err)
		return
	}
	latest, err := a.Rack.JournalEnd(req.Context())
	if err != nil {
		a.fail(w, req, err)
		return
	}
	documents := make([]Subscription, 0, len(all))
	for _, s := range all {
		documents = append(documents, Subscription{s.Name, s.Position, uint64(max(latest, s.Position) - s.Position), s.Paused, s.Dead})
	}
	answer(w, http.StatusOK, struct {
		Subscriptions []Subscription `json:"subscriptions"`
	}{documents})
}

// SubscriptionControl names a subscription to pause, resume or rewind.
type SubscriptionControl struct {
	Name  string          `json:"name"`
	After *store.Position `json:"after,omitempty"` // for rewind: where to continue; 0 is the oldest entry
}

func (a *Server) pause(w http.ResponseWriter, req *http.Request) {
	a.control(w, req, false, func(s SubscriptionControl) error { return atrest.Pause(req.Context(), a.Rack.Store(), s.Name) })
}

func (a *Server) resume(w http.ResponseWriter, req *http.Request) {
	a.control(w, req, false, func(s SubscriptionControl) error { return atrest.Resume(req.Context(), a.Rack.Store(), s.Name) })
}

func (a *Server) rewind(w http.ResponseWriter, req *http.Request) {
	a.control(w, req, true, func(s SubscriptionControl) error {
		return atrest.Rewind(req.Context(), a.Rack.Store(), s.Name, *s.After)
	})
}

// control checks that a subscription exists and calls do.
func (a *Server) control(w http.ResponseWriter, req *http.Request, rewinds bool, do func(SubscriptionControl) error) {
	s, ok := readJSON[SubscriptionControl](w, req, jsonShape)
	if !ok {
		return
	}
	if rewinds != (s.After != nil) {
		refuse(w, http.StatusBadRequest, "invalid_request", "rewind requires after, a position; pause and resume do not take it")
		return
	}
	all, err := atrest.Subscriptions(req.Context(), a.Rack.Store())
	if err != nil {
		a.fail(w, req, err)
		return
	}
	known := false
	for _, one := range all {
		known = known || one.Name == s.Name
	}
	if !known {
		refuse(w, http.StatusNotFound, "not_found", "the subscription is not known; GET /v1/subscriptions lists all")
		return
	}
	if latest, err := a.Rack.JournalEnd(req.Context()); err != nil {
		a.fail(w, req, err)
		return
	} else if rewinds && *s.After > latest {
		refuse(w, http.StatusBadRequest, "invalid_request", "after is beyond the end of the journal")
		return
	}
	if err := do(s); err != nil {
		a.fail(w, req, err)
		return
	}
	key := callerOf(req)
	a.Log.Info("subscription changed", "action", req.URL.Path[len(subscriptionsPath)+1:], "subscription", s.Name, "by", key)
	answer(w, http.StatusOK, struct {
		Name string `json:"name"`
	}{s.Name})
}
