// Package api answers HTTP requests about tokens and integrations: what keyrack serve
// listens for on its API listener.
//
//	request ──▶ access ──▶ route ──▶ scope ──▶ handler ──▶ wire document
//	            (key)      (exact)             (a Rack)    or Problem
//
// Server is the handler. Its wire documents, which package client reads back, are Go types
// here and are described for everyone else by openapi.json; a test holds the two to each
// other. Paths are exact, and no answer is a redirection. Without API keys the API is
// read-only and serves this machine alone.
package api

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
)

// Options are what a Server needs.
type Options struct {
	Rack     *keyrack.Rack
	Keys     Keys // empty: no keys, and read-only
	AsksMews bool // Rack has a prober
	Metrics  *metrics.Metrics
	Log      *slog.Logger
	Ready    *atomic.Bool    // webhooks are accepted
	Streams  int             // the most streams of changes at a time; 0 means 256
	Ending   <-chan struct{} // closed when streams must end
	// Console is served under ConsolePath. It asks for a key itself if there are Keys.
	Console http.Handler
}

// Server answers requests to the API. It is an http.Handler.
type Server struct {
	Options
	access access

	streams streams
	repeats repeats
	routes  map[string]route
}

// route is what one path answers.
type route struct {
	method string // GET includes HEAD
	needs  scope
	answer http.HandlerFunc
}

const (
	IntrospectPath   = "/v1/introspect"
	IntegrationsPath = "/v1/integrations"
)

// New returns a Server. openapi.json describes the same routes.
func New(o Options) *Server {
	a := &Server{Options: o, access: access{keys: o.Keys}, streams: newStreams(o.Streams, len(o.Keys))}
	a.routes = map[string]route{
		livePath:           {http.MethodGet, scopeNone, a.livez},
		readyPath:          {http.MethodGet, scopeNone, a.readyz},
		"/metrics":         {http.MethodGet, scopeRead, a.serveMetrics},
		"/v1/openapi.json": {http.MethodGet, scopeNone, a.openAPI},
		IntrospectPath:     {http.MethodPost, scopeIntrospect, a.introspect},
		"/v1/report":       {http.MethodPost, scopeReport, a.report},
		changesPath:        {http.MethodGet, scopeRead, a.changes},
		IntegrationsPath:   {http.MethodGet, scopeRead, a.list},
		// Of one integration; its id is the path value "id".
		IntegrationsPath + "/{id}":         {http.MethodGet, scopeRead, a.show},
		IntegrationsPath + "/{id}/history": {http.MethodGet, scopeRead, a.history},
		IntegrationsPath + "/{id}/explain": {http.MethodGet, scopeRead, a.explain},
		IntegrationsPath + "/{id}/token":   {http.MethodPost, scopeToken, a.token},
	}
	maps.Copy(a.routes, a.adminRoutes())
	return a
}

// find returns the route of a path, and sets the path value "id".
func (a *Server) find(req *http.Request) (route, bool) {
	if rest, ok := strings.CutPrefix(req.URL.EscapedPath(), IntegrationsPath+"/"); ok {
		escaped, verb, deeper := strings.Cut(rest, "/")
		id, err := url.PathUnescape(escaped)
		if err != nil || id == "" {
			return route{}, false
		}
		req.SetPathValue("id", id)
		pattern := IntegrationsPath + "/{id}"
		if deeper {
			pattern += "/" + verb
		}
		r, ok := a.routes[pattern]
		return r, ok
	}
	r, ok := a.routes[req.URL.Path]
	return r, ok && !strings.Contains(req.URL.Path, "{")
}

// ServeHTTP answers one request.
func (a *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if a.serveConsole(w, req) {
		return
	}
	w.Header()["Cache-Control"] = noStore
	w.Header()["X-Content-Type-Options"] = noSniff
	if isHealth(req) {
		a.routes[req.URL.Path].answer(w, req)
		return
	}
	key, ok := a.access.admit(w, req)
	if !ok {
		return
	}
	route, ok := a.find(req)
	if !ok {
		detail := "unknown path; GET /v1/openapi.json describes every path"
		if strings.HasSuffix(req.URL.Path, "/") {
			detail = "unknown path; paths are exact, so leave out the slash at the end"
		}
		refuse(w, http.StatusNotFound, "not_found", detail)
		return
	}
	if req.Method != route.method && !(req.Method == http.MethodHead && route.method == http.MethodGet) {
		allow := route.method
		if allow == http.MethodGet {
			allow = "GET, HEAD"
		}
		w.Header().Set("Allow", allow)
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "the path accepts "+allow)
		return
	}
	if !a.access.permit(w, key, route.needs) {
		return
	}
	if key != nil && (route.needs&^reading != 0 || req.URL.Path == changesPath) {
		req = req.WithContext(context.WithValue(req.Context(), callerKey{}, key.name))
	}
	route.answer(w, req)
}

// callerKey is the context key of the name of the API key, for the routes that ask for it.
type callerKey struct{}

// callerOf returns the name of the API key that a request presents, or "" without keys.
func callerOf(req *http.Request) string {
	name, _ := req.Context().Value(callerKey{}).(string)
	return name
}

// Header values that every answer has; nobody changes them.
var (
	noStore = []string{"no-store"}
	noSniff = []string{"nosniff"}
)

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
