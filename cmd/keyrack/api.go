package main

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/keyrack-dev/keyrack"
)

// api answers questions on the API listener: on exact paths, and never with a
// redirection.
type api struct {
	rack   *keyrack.Rack
	access access
	meter  *meter
	log    *slog.Logger
	ready  *atomic.Bool    // deliveries are taken in
	ending <-chan struct{} // closed when streams should end

	streams atomic.Int64
	routes  map[string]route
}

// route is what one path answers.
type route struct {
	method string // GET includes HEAD
	needs  scope
	answer http.HandlerFunc
}

const (
	introspectPath   = "/v1/introspect"
	integrationsPath = "/v1/integrations"
)

// newAPI gives an API its routes. They stand here and, for programs, in openapi.json.
func newAPI(a *api) *api {
	a.routes = map[string]route{
		"/livez":           {http.MethodGet, scopeNone, a.livez},
		"/readyz":          {http.MethodGet, scopeNone, a.readyz},
		"/metrics":         {http.MethodGet, scopeRead, a.metrics},
		"/v1/openapi.json": {http.MethodGet, scopeNone, a.openAPI},
		introspectPath:     {http.MethodPost, scopeIntrospect, a.introspect},
		"/v1/evidence":     {http.MethodPost, scopeEvidence, a.evidence},
		"/v1/changes":      {http.MethodGet, scopeRead, a.changes},
		integrationsPath:   {http.MethodGet, scopeRead, a.list},
		// Of one integration; its id is the path value "id".
		integrationsPath + "/{id}":         {http.MethodGet, scopeRead, a.show},
		integrationsPath + "/{id}/history": {http.MethodGet, scopeRead, a.history},
		integrationsPath + "/{id}/explain": {http.MethodGet, scopeRead, a.explain},
		integrationsPath + "/{id}/token":   {http.MethodPost, scopeToken, a.token},
	}
	maps.Copy(a.routes, a.acts())
	return a
}

// find returns the route of a request's path, and notes the id in it.
func (a *api) find(req *http.Request) (route, bool) {
	if rest, ok := strings.CutPrefix(req.URL.EscapedPath(), integrationsPath+"/"); ok {
		escaped, verb, deeper := strings.Cut(rest, "/")
		id, err := url.PathUnescape(escaped)
		if err != nil || id == "" {
			return route{}, false
		}
		req.SetPathValue("id", id)
		pattern := integrationsPath + "/{id}"
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
func (a *api) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header()["Cache-Control"] = noStore
	w.Header()["X-Content-Type-Options"] = noSniff
	key, ok := a.access.admit(w, req)
	if !ok {
		return
	}
	route, ok := a.find(req)
	if !ok {
		refuse(w, http.StatusNotFound, "not_found", "there is nothing at this path")
		return
	}
	if req.Method != route.method && !(req.Method == http.MethodHead && route.method == http.MethodGet) {
		allow := route.method
		if allow == http.MethodGet {
			allow = "GET, HEAD"
		}
		w.Header().Set("Allow", allow)
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "this path answers "+allow)
		return
	}
	if !a.access.permit(w, key, route.needs) {
		return
	}
	if key != nil && route.needs&^reading != 0 {
		req.SetPathValue("key", key.name) // who acts
	}
	route.answer(w, req)
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
