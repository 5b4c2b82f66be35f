package main

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// acts are the routes by which an operator does something, rather than asks.
func (a *api) acts() map[string]route {
	return map[string]route{
		integrationsPath + "/{id}/import": {http.MethodPost, scopeAdmin, a.adopt},
		integrationsPath + "/{id}/probe":  {http.MethodPost, scopeAdmin, a.probe},
		subscriptionsPath:                 {http.MethodGet, scopeRead, a.subscriptions},
		subscriptionsPath + "/pause":      {http.MethodPost, scopeAdmin, a.pause},
		subscriptionsPath + "/resume":     {http.MethodPost, scopeAdmin, a.resume},
		subscriptionsPath + "/replay":     {http.MethodPost, scopeAdmin, a.replay},
	}
}

const (
	subscriptionsPath = "/v1/subscriptions"
	// identifierLimit is the longest identifier that is taken, in bytes, as in
	// package events.
	identifierLimit = 128
)

// adoption is an integration as a person knows it, apart from its id.
type adoption struct {
	Name           string    `json:"integration_name,omitempty"`
	Enterprise     string    `json:"enterprise,omitempty"`
	EnterpriseName string    `json:"enterprise_name,omitempty"`
	Service        string    `json:"service,omitempty"`
	ServiceName    string    `json:"service_name,omitempty"`
	Token          string    `json:"token"`
	Disabled       bool      `json:"disabled,omitempty"`
	CreatedUtc     time.Time `json:"created_utc,omitzero"`
}

// adopted is what became of one: the verdict on the token, afterwards.
type adopted struct {
	Outcome lifecycle.Outcome `json:"outcome"`
	Cause   string            `json:"cause,omitempty"`
	// Digest tells the token from the integration's others.
	Digest string `json:"digest"`
	// Asking: Mews is asked about it, and the integration says what was answered.
	Asking bool `json:"asking"`
	introspection
}

// adopt takes an integration in by hand.
func (a *api) adopt(w http.ResponseWriter, req *http.Request) {
	one, ok := readAct[adoption](w, req)
	if !ok {
		return
	}
	id := req.PathValue("id")
	switch {
	case one.Token == "" || len(one.Token) > tokenLimit || strings.ContainsFunc(one.Token, unicode.IsControl):
		refuse(w, http.StatusBadRequest, "invalid_request", "there is no token, or what can be none")
		return
	case !isIdentifier(id) || one.Enterprise != "" && !isIdentifier(one.Enterprise) || one.Service != "" && !isIdentifier(one.Service):
		refuse(w, http.StatusBadRequest, "invalid_request", "an identifier has 1 to 128 bytes, and no control characters")
		return
	}
	receipt, err := a.rack.Import(req.Context(), keyrack.Import{
		Integration: lifecycle.Named{ID: id, Name: one.Name},
		Enterprise:  lifecycle.Named{ID: one.Enterprise, Name: one.EnterpriseName},
		Service:     lifecycle.Named{ID: one.Service, Name: one.ServiceName},
		Token:       lifecycle.NewToken(one.Token), Disabled: one.Disabled, CreatedUtc: one.CreatedUtc,
	})
	if err != nil {
		a.fail(w, req, err)
		return
	}
	e, err := a.rack.ExplainToken(req.Context(), one.Token)
	if err != nil {
		a.fail(w, req, err)
		return
	}
	answer(w, http.StatusOK, adopted{
		Outcome: receipt.Decision.Outcome, Cause: receipt.Decision.Cause.String(), Digest: e.Token.String(),
		Asking: a.asksMews(req.Context()), introspection: introspectionOf(e.Verdict, e.At),
	})
}

// asksMews tells whether there is a prober. To ask about no integration fails
// either way, and without one for want of it.
func (a *api) asksMews(ctx context.Context) bool {
	_, err := a.rack.Ask(ctx, "", "")
	return !errors.Is(err, keyrack.ErrInvalid)
}

func isIdentifier(id string) bool {
	return id != "" && len(id) <= identifierLimit && !strings.ContainsFunc(id, unicode.IsControl)
}

// probe has Mews asked anew about an integration. The answer comes later, and with
// it the integration changes.
func (a *api) probe(w http.ResponseWriter, req *http.Request) {
	_, err := a.rack.Ask(req.Context(), req.PathValue("id"), req.PathValue("key"))
	switch {
	case errors.Is(err, keyrack.ErrInvalid):
		refuse(w, http.StatusConflict, "no_prober", "nobody asks Mews here: that takes --connector-url, --client-name and "+clientTokenVariable)
	case err != nil:
		a.fail(w, req, err)
	default:
		answer(w, http.StatusOK, struct {
			Asking bool `json:"asking"`
		}{true})
	}
}

// subscriptionDocument is where a subscription stands.
type subscriptionDocument struct {
	Name     string         `json:"name"`
	Position store.Position `json:"position"` // everything up to it is done
	Behind   uint64         `json:"behind"`   // positions between it and the journal's end
	Paused   bool           `json:"paused"`
	Dead     int            `json:"dead_letters"`
}

func (a *api) subscriptions(w http.ResponseWriter, req *http.Request) {
	all, err := a.rack.Subscriptions(req.Context())
	if err != nil {
		a.fail(w, req, err)
		return
	}
	latest, err := a.rack.Latest(req.Context())
	if err != nil {
		a.fail(w, req, err)
		return
	}
	documents := make([]subscriptionDocument, 0, len(all))
	for _, s := range all {
		documents = append(documents, subscriptionDocument{s.Name, s.Position, uint64(max(latest, s.Position) - s.Position), s.Paused, s.Dead})
	}
	answer(w, http.StatusOK, struct {
		Subscriptions []subscriptionDocument `json:"subscriptions"`
	}{documents})
}

// steering is what is wanted of a subscription.
type steering struct {
	Name  string          `json:"name"`
	After *store.Position `json:"after,omitempty"` // of a replay: where to begin again; 0 is the oldest
}

func (a *api) pause(w http.ResponseWriter, req *http.Request) {
	a.steer(w, req, false, func(s steering) error { return a.rack.Pause(req.Context(), s.Name) })
}

func (a *api) resume(w http.ResponseWriter, req *http.Request) {
	a.steer(w, req, false, func(s steering) error { return a.rack.Resume(req.Context(), s.Name) })
}

func (a *api) replay(w http.ResponseWriter, req *http.Request) {
	a.steer(w, req, true, func(s steering) error { return a.rack.Replay(req.Context(), s.Name, *s.After) })
}

// steer does what is wanted of a subscription that there is.
func (a *api) steer(w http.ResponseWriter, req *http.Request, replays bool, do func(steering) error) {
	s, ok := readAct[steering](w, req)
	if !ok {
		return
	}
	if replays != (s.After != nil) {
		refuse(w, http.StatusBadRequest, "invalid_request", "a replay takes after, a position, and nothing else does")
		return
	}
	all, err := a.rack.Subscriptions(req.Context())
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
	if latest, err := a.rack.Latest(req.Context()); err != nil {
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
	key := req.PathValue("key")
	a.log.Info("subscription steered", "act", req.URL.Path[len(subscriptionsPath)+1:], "subscription", s.Name, "by", key)
	answer(w, http.StatusOK, struct {
		Name string `json:"name"`
	}{s.Name})
}

// readAct reads the body of an act, or answers.
func readAct[T any](w http.ResponseWriter, req *http.Request) (value T, ok bool) {
	const form = "application/json"
	if media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || media != form {
		refuse(w, http.StatusBadRequest, "invalid_request", "the body must be "+form)
		return value, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, bodyLimit))
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		refuse(w, http.StatusRequestEntityTooLarge, "invalid_request", "the body is too large")
		return value, false
	}
	if err == nil {
		err = json.Unmarshal(body, &value, json.RejectUnknownMembers(true))
	}
	if err != nil { // its text quotes the body
		refuse(w, http.StatusBadRequest, "invalid_request", "the body is not the JSON object that this path takes, or did not come whole")
		return value, false
	}
	return value, true
}
