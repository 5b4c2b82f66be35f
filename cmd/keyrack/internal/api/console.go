package api

import (
	"net/http"
	"strings"
)

// ConsolePath is where the operator's page is mounted.
const ConsolePath = "/console/"

// serveConsole answers with the operator's page, and reports whether the path is its. With
// keys the page has its visitors sign in with one; without keys it serves this machine alone.
func (a *Server) serveConsole(w http.ResponseWriter, req *http.Request) bool {
	if a.Console == nil || !strings.HasPrefix(req.URL.Path, ConsolePath) {
		return false
	}
	if len(a.Keys) == 0 && !a.access.local(w, req) {
		return true
	}
	http.StripPrefix(strings.TrimSuffix(ConsolePath, "/"), a.Console).ServeHTTP(w, req)
	return true
}
