package api

import (
	_ "embed"
	"errors"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/store"
)

// The paths of health checks. They want no key, whatever keys there are, and they are
// answered whatever the host or the page: what they say is a word.
const (
	livePath  = "/livez"
	readyPath = "/readyz"
)

// isHealth reports whether a request is a health check.
func isHealth(req *http.Request) bool {
	return (req.URL.Path == livePath || req.URL.Path == readyPath) && (req.Method == http.MethodGet || req.Method == http.MethodHead)
}

// Health answers health checks and nothing else, for a listener of its own.
func (a *Server) Health() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header()["Cache-Control"] = noStore
		w.Header()["X-Content-Type-Options"] = noSniff
		if !isHealth(req) {
			say(w, http.StatusNotFound, "here are GET /livez and GET /readyz alone\n")
			return
		}
		a.routes[req.URL.Path].answer(w, req)
	})
}

// The words of health checks.
const (
	wordOK       = "ok"
	wordReady    = "ready"
	wordDegraded = "degraded"
	wordGone     = "the store was removed or replaced"
	wordEnding   = "shutting down"
)

// IsHealthWord reports whether a health check answers with this word.
func IsHealthWord(word string) bool {
	return word == wordOK || word == wordReady || word == wordDegraded || word == wordGone || word == wordEnding
}

// livez answers as long as the process serves.
func (a *Server) livez(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, wordOK+"\n") }

// readyz says whether webhooks are accepted. If the store cannot be read the answer says so
// and is still 200: this process answers from memory, and without it nobody would. A store
// that was removed or replaced under this process is 503: nothing is accepted until it is
// started anew.
func (a *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	switch {
	case !a.Ready.Load():
		say(w, http.StatusServiceUnavailable, wordEnding+"\n")
	case errors.Is(a.Rack.SyncStatus().Err, store.ErrGone):
		say(w, http.StatusServiceUnavailable, wordGone+"\n")
	case a.Rack.SyncStatus().Err != nil:
		say(w, http.StatusOK, wordDegraded+"\n")
	default:
		say(w, http.StatusOK, wordReady+"\n")
	}
}

// Condition describes how up to date the answers are.
func Condition(f keyrack.SyncStatus) string {
	if f.Err != nil {
		return "degraded: the store cannot be read; answers are from memory as of " + f.Synced.UTC().Format(time.RFC3339)
	}
	return "ready"
}

// serveMetrics answers with the page of package metrics.
func (a *Server) serveMetrics(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(a.Metrics.Page(req.Context(), a.Rack))
}

//go:embed openapi.json
var openAPI []byte

// openAPI answers with the description of the API.
func (a *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
}
