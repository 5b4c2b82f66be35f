package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/keyrack-dev/keyrack"
)

// api answers questions on the API listener: on exact paths, and never with a
// redirection. It needs no key, so it listens on loopback alone, and refuses what
// a web page in a browser of this machine could have sent.
type api struct {
	rack   *keyrack.Rack
	ready  *atomic.Bool // deliveries are taken in
	routes map[string]route
}

// route is what one path answers.
type route struct {
	method string // GET includes HEAD
	answer http.HandlerFunc
}

func newAPI(rack *keyrack.Rack, ready *atomic.Bool) *api {
	a := &api{rack: rack, ready: ready}
	a.routes = map[string]route{
		"/livez":         {http.MethodGet, a.livez},
		"/readyz":        {http.MethodGet, a.readyz},
		"/v1/introspect": {http.MethodPost, a.introspect},
	}
	return a
}

// ServeHTTP answers one request.
func (a *api) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// A name of somebody else's that resolves to this machine makes a browser
	// believe that we are of his site: DNS rebinding.
	if !isLoopback(req.Host) {
		refuse(w, http.StatusForbidden, "forbidden_host", "the Host header does not name this machine's loopback")
		return
	}
	for _, origin := range req.Header.Values("Origin") {
		if u, err := url.Parse(origin); err != nil || !isLoopback(u.Host) {
			refuse(w, http.StatusForbidden, "forbidden_origin", "web pages of other machines get no answer here")
			return
		}
	}
	route, ok := a.routes[req.URL.Path]
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
	route.answer(w, req)
}

// livez answers as long as the process serves.
func (a *api) livez(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") }

// readyz tells whether deliveries are taken in.
func (a *api) readyz(w http.ResponseWriter, _ *http.Request) {
	if !a.ready.Load() {
		say(w, http.StatusServiceUnavailable, "shutting down\n")
		return
	}
	say(w, http.StatusOK, "ready\n")
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// refuse answers with an error in the form of OAuth 2.0 (RFC 6749, section 5.2).
func refuse(w http.ResponseWriter, status int, code, description string) {
	answer(w, status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
}

// answer answers with JSON.
func answer(w http.ResponseWriter, status int, value any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(value); err != nil {
		panic("an answer is no JSON") // a mistake in our own types
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}

// isLoopback tells whether a host, with or without a port, can only be this
// machine: localhost, or a loopback address.
func isLoopback(hostport string) bool {
	host := (&url.URL{Host: hostport}).Hostname()
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// loopbackAddr resolves the address of the API listener, once, so that what
// is looked at is what is listened on.
func loopbackAddr(ctx context.Context, hostport string) (string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", usagef("--api-addr is not host:port; try 127.0.0.1:8081")
	}
	var addrs []netip.Addr
	if host != "" { // which would be every address
		if addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return "", usagef("--api-addr: the host %q has no address; try 127.0.0.1:%s", host, port)
		}
	}
	if len(addrs) == 0 || !addrs[0].Unmap().IsLoopback() {
		return "", usagef(`--api-addr %s can be reached from other machines, and the API has no keys yet.
Listen on loopback, such as 127.0.0.1:%s, and ask from this machine`, hostport, port)
	}
	return net.JoinHostPort(addrs[0].Unmap().String(), port), nil
}
