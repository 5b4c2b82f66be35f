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

// Options are what an API answers from.
type Options struct {
	Rack     *keyrack.Rack
	Keys     Keys // empty: without keys
	AsksMews bool // the rack has a prober
	Metrics  *metrics.Metrics
	Log      *slog.Logger
	Ready    *atomic.Bool    // deliveries are taken in
	Ending   <-chan struct{} // closed when streams should end
}

// Server answers questions on the API listener: on exact paths, and never with a
// redirection.
type Server struct {
	Options
	access access

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
	IntrospectPath   = "/v1/introspect"
	IntegrationsPath = "/v1/integrations"
)

// New gives an API its routes. They stand here and, for programs, in openapi.json.
func New(o Options) *Server {
	a := &Server{Options: o, access: access{keys: o.Keys}}
	a.routes = map[string]route{
		"/livez":           {http.MethodGet, scopeNone, a.livez},
		"/readyz":          {http.MethodGet, scopeNone, a.readyz},
		"/metrics":         {http.MethodGet, scopeRead, a.serveMetrics},
		"/v1/openapi.json": {http.MethodGet, scopeNone, a.openAPI},
		IntrospectPath:     {http.MethodPost, scopeIntrospect, a.introspect},
		"/v1/evidence":     {http.MethodPost, scopeEvidence, a.evidence},
		"/v1/changes":      {http.MethodGet, scopeRead, a.changes},
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

// find returns the route of a request's path, and notes the id in it.
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
		req = req.WithContext(context.WithValue(req.Context(), callerKey{}, key.name))
	}
	route.answer(w, req)
}

// callerKey is the key of the caller's name in the context of a request that needs
// more than to read.
type callerKey struct{}

// callerOf returns the name of the API key that a request presents; "" where reading
// would do.
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
