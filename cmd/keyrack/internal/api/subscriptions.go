package api

import (
	"net/http"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/store"
)

// Subscription is where a subscription stands.
type Subscription struct {
	Name     string         `json:"name"`
	Position store.Position `json:"position"` // everything up to it is done
	Behind   uint64         `json:"behind"`   // positions between it and the journal's end
	Paused   bool           `json:"paused"`
	Dead     int            `json:"dead_letters"`
}

func (a *Server) subscriptions(w http.ResponseWriter, req *http.Request) {
	all, err := atrest.Subscriptions(req.Context(), a.Rack.Store())
	if err != nil {
		a.fail(w, req, err)
		return
	}
	latest, err := a.Rack.Latest(req.Context())
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

// SubscriptionControl is what is wanted of a subscription.
type SubscriptionControl struct {
	Name  string          `json:"name"`
	After *store.Position `json:"after,omitempty"` // of a replay: where to begin again; 0 is the oldest
}

func (a *Server) pause(w http.ResponseWriter, req *http.Request) {
	a.steer(w, req, false, func(s SubscriptionControl) error { return atrest.Pause(req.Context(), a.Rack.Store(), s.Name) })
}

func (a *Server) resume(w http.ResponseWriter, req *http.Request) {
	a.steer(w, req, false, func(s SubscriptionControl) error { return atrest.Resume(req.Context(), a.Rack.Store(), s.Name) })
}

func (a *Server) replay(w http.ResponseWriter, req *http.Request) {
	a.steer(w, req, true, func(s SubscriptionControl) error {
		return atrest.Rewind(req.Context(), a.Rack.Store(), s.Name, *s.After)
	})
}

// steer does what is wanted of a subscription that there is.
func (a *Server) steer(w http.ResponseWriter, req *http.Request, replays bool, do func(SubscriptionControl) error) {
	s, ok := readJSON[SubscriptionControl](w, req, jsonShape)
	if !ok {
		return
	}
	if replays != (s.After != nil) {
		refuse(w, http.StatusBadRequest, "invalid_request", "a replay takes after, a position, and nothing else does")
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
		refuse(w, http.StatusNotFound, "not_found", "there is no such subscription")
		return
	}
	if latest, err := a.Rack.Latest(req.Context()); err != nil {
		a.fail(w, req, err)
		return
	} else if replays && *s.After > latest {
		refuse(w, http.StatusBadRequest, "invalid_request", "the journal does not reach that far")
		return
	}
	if err := do(s); err != nil {
		a.fail(w, req, err)
		return
	}
	key := callerOf(req)
	a.Log.Info("subscription steered", "act", req.URL.Path[len(subscriptionsPath)+1:], "subscription", s.Name, "by", key)
	answer(w, http.StatusOK, struct {
		Name string `json:"name"`
	}{s.Name})
}
