package main

import (
	_ "embed"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
)

// livez answers as long as the process serves.
func (a *api) livez(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") }

// readyz tells whether deliveries are taken in. While the store cannot be read it
// says so and stays 200: answers come from memory then, and nothing would be won
// by sending those who ask to nobody.
func (a *api) readyz(w http.ResponseWriter, _ *http.Request) {
	if !a.ready.Load() {
		say(w, http.StatusServiceUnavailable, "shutting down\n")
		return
	}
	say(w, http.StatusOK, condition(a.rack.Following())+"\n")
}

// condition says how the view stands to the store.
func condition(f keyrack.Following) string {
	if f.Err != nil {
		return "degraded: the store cannot be read, and answers are from memory as of " + f.Synced.UTC().Format(time.RFC3339)
	}
	return "ready"
}

// metrics answers with the page of package metrics.
func (a *api) metrics(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(a.meter.page(req.Context(), a.rack))
}

//go:embed openapi.json
var openAPI []byte

// openAPI answers with the API's description.
func (a *api) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
}
