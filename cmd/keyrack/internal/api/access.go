package api

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
)

// access decides who may ask what. Without keys the API is read-only and serves this machine
// alone. It then refuses what a web page in a browser of this machine could send.
type access struct {
	keys Keys
}

// admit checks everything about a request but its path. It returns the key, nil if there are
// no keys, or it answers and returns false.
func (a *access) admit(w http.ResponseWriter, req *http.Request) (*Key, bool) {
	if !a.local(w, req) {
		return nil, false
	}
	if len(a.keys) == 0 {
		return nil, true
	}
	key := a.who(req)
	if key == nil {
		challenge := `Bearer realm="keyrack"`
		w.Header().Set("WWW-Authenticate", challenge)
		if req.URL.Path == IntrospectPath {
			w.Header().Add("WWW-Authenticate", `Basic realm="keyrack"`)
		}
		refuse(w, http.StatusUnauthorized, "invalid_client", "the Authorization header holds no valid API key; send Authorization: Bearer KEY")
	}
	return key, key != nil
}

// local reports whether a request comes from no web page of another machine and, if there are
// no keys, to this machine by its own name, or answers. DNS rebinding: a foreign name that
// resolves to this machine makes a browser take this API for a part of that site. Such a page
// has no key.
func (a *access) local(w http.ResponseWriter, req *http.Request) bool {
	if len(a.keys) == 0 && !httpserver.IsLoopback(req.Host) {
		refuse(w, http.StatusForbidden, "forbidden_host", "without API keys, only requests to a loopback host are answered; "+
			"send Host: localhost, as a program in a container must that calls host.docker.internal, or create a key with keyrack apikey")
		return false
	}
	// A browser sends what a page of another site asks of it, and says so. A page on a
	// loopback host is told by its Origin.
	if len(a.keys) == 0 && req.Header.Get("Origin") == "" && req.Header.Get("Sec-Fetch-Site") == "cross-site" {
		refuse(w, http.StatusForbidden, "forbidden_origin", "web pages of other machines get no answer")
		return false
	}
	for _, origin := range req.Header.Values("Origin") {
		if u, err := url.Parse(origin); err != nil || !httpserver.IsLoopback(u.Host) {
			refuse(w, http.StatusForbidden, "forbidden_origin", "web pages of other machines get no answer")
			return false
		}
	}
	return true
}

// who returns the key that a request presents, or nil.
func (a *access) who(req *http.Request) *Key {
	presented := req.Header.Values("Authorization")
	if len(presented) == 0 && req.URL.Path == IntrospectPath && req.Method == http.MethodPost {
		return a.inForm(req)
	}
	if len(presented) != 1 {
		return nil
	}
	scheme, value, _ := strings.Cut(presented[0], " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return a.keys.find(strings.TrimSpace(value))
	case strings.EqualFold(scheme, "Basic") && req.URL.Path == IntrospectPath:
		// Clients of OAuth 2.0 send name and key, each form-encoded (RFC 6749, section
		// 2.3.1).
		user, password, ok := req.BasicAuth()
		if !ok {
			return nil
		}
		name, err := url.QueryUnescape(user)
		if err != nil {
			return nil
		}
		value, err := url.QueryUnescape(password)
		if err != nil {
			return nil
		}
		if key := a.keys.find(value); key != nil && key.name == name {
			return key
		}
	}
	return nil
}

// inForm returns the key that the body of a request presents, or nil: client_secret_post of
// OAuth 2.0 (RFC 6749, section 2.3.1). It leaves the body to be read again.
func (a *access) inForm(req *http.Request) *Key {
	body, err := io.ReadAll(io.LimitReader(req.Body, BodyLimit+1))
	req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), req.Body))
	if err != nil || len(body) > BodyLimit {
		return nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["client_id"]) != 1 || len(form["client_secret"]) != 1 {
		return nil
	}
	if key := a.keys.find(form.Get("client_secret")); key != nil && key.name == form.Get("client_id") {
		return key
	}
	return nil
}

// reading are the scopes that need no key if there are no keys.
const reading = scopeRead | scopeIntrospect

// permit reports whether a key has a scope, or answers.
func (a *access) permit(w http.ResponseWriter, key *Key, needed scope) bool {
	switch {
	case key == nil && needed&^reading != 0:
		refuse(w, http.StatusForbidden, "keys_required", "without API keys the API is read-only; "+
			"create a key with keyrack apikey, and add its line to the file of --api-keys-file or to "+KeysVariable)
		return false
	case key != nil && !key.scopes.allows(needed):
		refuse(w, http.StatusForbidden, "insufficient_scope", "the request requires a key with the scope "+needed.String())
		return false
	}
	return true
}
