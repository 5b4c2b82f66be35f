package mewstest_test

import (
	"io"
	"net/http"
	"sync"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// naive is a receiver that believes whatever comes last: right on a channel that
// keeps the order and loses nothing, and wrong on others.
type naive struct {
	mu       sync.Mutex
	live     map[string]bool   // by integration
	current  map[string]string // token by integration
	owner    map[string]string // integration by token
	requests []request
	answer   func(n int) int // status of the nth request, from 0; nil: 204
}

// request is what reached the receiver.
type request struct {
	secret, contentType string
	body                string
	event               events.Event
}

func newNaive() *naive {
	return &naive{live: map[string]bool{}, current: map[string]string{}, owner: map[string]string{}}
}

func (r *naive) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	e, err := events.Decode(body)
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.requests)
	r.requests = append(r.requests, request{req.URL.Query().Get("Token"), req.Header.Get("Content-Type"), string(body), e})
	if r.answer != nil {
		if status := r.answer(n); status != http.StatusNoContent {
			rw.WriteHeader(status)
			return
		}
	}
	r.believe(e)
	rw.WriteHeader(http.StatusNoContent)
}

func (r *naive) believe(e events.Event) {
	id := e.Integration.ID
	switch e.Action {
	case lifecycle.IntegrationCreated:
		r.live[id] = e.IsEnabled == lifecycle.Yes
		r.current[id], r.owner[e.AccessToken.Reveal()] = e.AccessToken.Reveal(), id
	case lifecycle.IntegrationApiKeyCreated:
		r.current[id], r.owner[e.ApiKey.Reveal()] = e.ApiKey.Reveal(), id
	case lifecycle.IntegrationEnabled, lifecycle.IntegrationReinstated:
		r.live[id] = true
	case lifecycle.IntegrationDisabled, lifecycle.IntegrationCanceled, lifecycle.IntegrationDeleted:
		r.live[id] = false
	}
}

// Status is an Ask.
func (r *naive) Status(token string) lifecycle.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.owner[token]
	switch {
	case !ok:
		return lifecycle.Unknown
	case r.live[id] && r.current[id] == token:
		return lifecycle.Valid
	}
	return lifecycle.Invalid
}

// got returns the actions that arrived, in order.
func (r *naive) got() (actions []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, req := range r.requests {
		switch {
		case req.event.General != nil:
			actions = append(actions, "General")
		default:
			actions = append(actions, req.event.Name)
		}
	}
	return actions
}
