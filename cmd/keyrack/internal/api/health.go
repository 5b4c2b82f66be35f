package api

import (
	_ "embed"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
)

// livez answers as long as the process serves.
func (a *Server) livez(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") }

// readyz says whether webhooks are accepted. If the store cannot be read the answer says so
// and is still 200: this process answers from memory, and without it nobody would.
func (a *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !a.Ready.Load() {
		say(w, http.StatusServiceUnavailable, "shutting down\n")
		return
	}
	say(w, http.StatusOK, Condition(a.Rack.SyncStatus())+"\n")
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
