package api

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// access says who may ask what. Without keys the API is for this machine alone,
// and may be read; it then refuses what a web page in a browser of this machine
// could have sent.
type access struct {
	keys Keys
}

// admit looks at everything about a request but its path. It returns who asks,
// nil where there are no keys, or answers and returns false.
func (a *access) admit(w http.ResponseWriter, req *http.Request) (*Key, bool) {
	// A name of somebody else's that resolves to this machine makes a browser
	// believe that we are of his site: DNS rebinding. It has no key, though.
	if len(a.keys) == 0 && !IsLoopback(req.Host) {
		refuse(w, http.StatusForbidden, "forbidden_host", "the Host header does not name this machine's loopback")
		return nil, false
	}
	for _, origin := range req.Header.Values("Origin") {
		if u, err := url.Parse(origin); err != nil || !IsLoopback(u.Host) {
			refuse(w, http.StatusForbidden, "forbidden_origin", "web pages of other machines get no answer here")
			return nil, false
		}
	}
	if len(a.keys) == 0 || req.URL.Path == "/livez" {
		return nil, true
	}
	key := a.who(req)
	if key == nil {
		challenge := `Bearer realm="keyrack"`
		w.Header().Set("WWW-Authenticate", challenge)
		if req.URL.Path == IntrospectPath {
			w.Header().Add("WWW-Authenticate", `Basic realm="keyrack"`)
		}
		refuse(w, http.StatusUnauthorized, "invalid_client", "there is no key in the Authorization header, or not one of ours")
	}
	return key, key != nil
}

// who returns the key that a request presents, or nil.
func (a *access) who(req *http.Request) *Key {
	presented := req.Header.Values("Authorization")
	if len(presented) != 1 {
		return nil
	}
	scheme, value, _ := strings.Cut(presented[0], " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return a.keys.find(strings.TrimSpace(value))
	case strings.EqualFold(scheme, "Basic") && req.URL.Path == IntrospectPath:
		// As clients of OAuth 2.0 do: name and key, each form-encoded first (RFC
		// 6749, section 2.3.1).
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

// reading are the scopes that are had without a key where there are none.
const reading = scopeRead | scopeIntrospect

// permit tells whether who asks may have what needs a scope, or answers.
func (a *access) permit(w http.ResponseWriter, key *Key, needed scope) bool {
	switch {
	case key == nil && needed&^reading != 0:
		refuse(w, http.StatusForbidden, "keys_required", "without keys the API can be read, and no more; "+
			"make one with keyrack apikey, and put its line into the file of --api-keys-file or into "+KeysVariable)
		return false
	case key != nil && !key.scopes.allows(needed):
		refuse(w, http.StatusForbidden, "insufficient_scope", "this takes a key with the scope "+needed.String())
		return false
	}
	return true
}

// IsLoopback tells whether a host, with or without a port, can only be this
// machine: localhost, or a loopback address.
func IsLoopback(hostport string) bool {
	host := (&url.URL{Host: hostport}).Hostname()
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
