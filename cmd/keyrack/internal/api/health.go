package api

import (
	_ "embed"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
)

// livez answers as long as the process serves.
func (a *Server) livez(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") }

// readyz tells whether deliveries are taken in. While the store cannot be read it
// says so and stays 200: answers come from memory then, and nothing would be won
// by sending those who ask to nobody.
func (a *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !a.Ready.Load() {
		say(w, http.StatusServiceUnavailable, "shutting down\n")
		return
	}
	say(w, http.StatusOK, Condition(a.Rack.Following())+"\n")
}

// Condition says how the view stands to the store.
func Condition(f keyrack.Following) string {
	if f.Err != nil {
		return "degraded: the store cannot be read, and answers are from memory as of " + f.Synced.UTC().Format(time.RFC3339)
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

// openAPI answers with the API's description.
func (a *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
}
