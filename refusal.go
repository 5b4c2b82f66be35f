package keyrack

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// Refusal says why a request was not taken in.
type Refusal string

// The refusals, and the statuses with which they are answered.
const (
	RefusedPath   Refusal = "path"   // 404
	RefusedMethod Refusal = "method" // 405
	RefusedSecret Refusal = "secret" // 401
	RefusedSize   Refusal = "size"   // 413
	RefusedBody   Refusal = "body"   // 400: it did not come whole
	RefusedSyntax Refusal = "syntax" // 400: not strict JSON
	RefusedStore  Refusal = "store"  // 503
	RefusedFull   Refusal = "full"   // 503: about a new integration, and there are too many
)

// status returns the HTTP status of the answer.
func (r Refusal) status() int {
	switch r {
	case RefusedPath:
		return http.StatusNotFound
	case RefusedMethod:
		return http.StatusMethodNotAllowed
	case RefusedSecret:
		return http.StatusUnauthorized
	case RefusedSize:
		return http.StatusRequestEntityTooLarge
	case RefusedStore, RefusedFull:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

func (r Refusal) text() string {
	switch r {
	case RefusedPath:
		return "not found"
	case RefusedMethod:
		return "only POST is answered here"
	case RefusedSecret:
		return "wrong or no secret"
	case RefusedSize:
		return "the body is too large"
	case RefusedBody:
		return "the body did not come whole"
	case RefusedStore:
		return "not stored; send it again"
	case RefusedFull:
		return "not stored, as there are too many integrations; send it again"
	}
	return "the body is not strict JSON"
}

// Refused is all that is kept of a request that was refused.
type Refused struct {
	At      time.Time
	Refusal Refusal
	// Digest is a keyed digest of the body, so that a repeated body can be recognised;
	// empty where no body was read.
	Digest string
	Size   int // of the body, as far as it was read, in bytes
	// Hint is a sentence for a person about what is probably wrong, and what to do. It quotes
	// nothing of the request.
	Hint string
}

// keptRefusals bounds what is remembered of refused requests.
const keptRefusals = 32

// refusalPause is how long refusals with one hint stay out of the log after a line about
// them, so that a scanner cannot fill it.
const refusalPause = 10 * time.Second

type refusals struct {
	mu     sync.Mutex
	counts map[Refusal]uint64
	recent []Refused
	lines  map[refusedFor]*refusalLine
}

// refusedFor is what one line of the log is about.
type refusedFor struct {
	refusal Refusal
	hint    string // there are only so many
	failure string // of the store, in its own words
}

// keptFailures bounds how many kinds of lines there are with the store's own words.
const keptFailures = 64

type refusalLine struct {
	silentUntil time.Time
	unsaid      int // refusals since the last line
}

// add notes a refusal, with the store's failure if that is why, and returns how many a line
// of the log reports now; 0 means no line.
func (r *refusals) add(one Refused, failure string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts, r.lines = make(map[Refusal]uint64), make(map[refusedFor]*refusalLine)
	}
	r.counts[one.Refusal]++
	if len(r.recent) == keptRefusals {
		r.recent = append(r.recent[:0], r.recent[1:]...)
	}
	r.recent = append(r.recent, one)
	kind := refusedFor{one.Refusal, one.Hint, failure}
	if r.lines[kind] == nil && len(r.lines) >= keptFailures {
		kind.failure = ""
	}
	line := r.lines[kind]
	if line == nil {
		line = new(refusalLine)
		r.lines[kind] = line
	}
	line.unsaid++
	if one.At.Before(line.silentUntil) {
		return 0
	}
	n := line.unsaid
	line.unsaid, line.silentUntil = 0, one.At.Add(refusalPause)
	return n
}

// copies returns the counts and the last few refusals, oldest first.
func (r *refusals) copies() (counts map[Refusal]uint64, recent []Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts), append([]Refused(nil), r.recent...)
}

// answer answers a request that is not taken in.
func (r Refusal) answer(w http.ResponseWriter) {
	switch r {
	case RefusedMethod:
		w.Header().Set("Allow", http.MethodPost)
	case RefusedSecret:
		w.Header().Set("WWW-Authenticate", `Token realm="webhook"`)
	}
	http.Error(w, r.text(), r.status())
}

// refusalOf returns why a body could not be read. A packed body that does not unpack did not
// come whole.
func refusalOf(err error) Refusal {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return RefusedSize
	}
	return RefusedBody
}

// refusedRequest is a request that was refused, with what there is to know of it.
type refusedRequest struct {
	*http.Request
	path    string // of the webhook
	escaped string // the one secret in the query, as presentedIn returns it
	one     bool
	body    []byte // as far as it was read
	err     error  // with which it could not be read
}

// hint says what probably led to a refusal. The sentences are fixed, so that they can be
// counted, and nothing of a request gets into the log.
func (r *refusedRequest) hint(refusal Refusal) string {
	switch refusal {
	case RefusedPath:
		return r.hintAtPath()
	case RefusedMethod:
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return "a browser or a health check asks with GET, and so does a POST after a redirection: if Mews calls, register the URL to which it is redirected"
		}
		return "Mews sends POST alone: somebody else calls, or something on the way changes the method"
	case RefusedSecret:
		return r.hintAtSecret()
	case RefusedSize:
		return "no webhook about an integration is that large: raise the limit (HandlerOptions.BodyLimit) if General Webhooks are"
	case RefusedStore:
		return "the store failed or was too slow: the error says how, and Mews sends it again a few times"
	case RefusedFull:
		return "there are as many integrations as MaxIntegrations allows: if some are made up, change the secret and forget them; else raise it"
	}
	return r.hintAtBody()
}

func (r *refusedRequest) hintAtPath() string {
	want, is := r.path, r.URL.Path
	switch {
	case is == want:
		return "the path is percent-encoded where it need not be: a proxy rewrote it, or it was registered that way"
	case strings.TrimSuffix(is, "/") == strings.TrimSuffix(want, "/"):
		return "the path differs from the webhook's in the slash at its end: register the URL as the path is"
	case strings.EqualFold(is, want):
		return "the path differs from the webhook's in small and capital letters: register the URL as the path is"
	case path.Clean(is) == path.Clean(want):
		return "the path has a doubled slash or dots: a proxy joined two parts, or it was registered that way"
	case strings.HasSuffix(want, is) && is != "/", r.one && strings.Trim(is, "/") == "":
		return "the beginning of the path, or all of it, was taken off before the handler, as http.StripPrefix and a proxy's rewriting do: leave the path to the router (HandlerOptions.AnyPath), or set the webhook's path to what is left"
	case strings.HasSuffix(is, want):
		return "something stands before the webhook's path, which a router or a proxy was to take off: leave the path to the router (HandlerOptions.AnyPath), or set the webhook's path to the whole"
	case r.proxied():
		return "the path is another one, and the request came through a proxy, which may have rewritten it: let it through unchanged, or set the webhook's path to what it makes of it"
	}
	return "it came to another path than the webhook's: somebody else calls, or another path was registered with Mews"
}

func (r *refusedRequest) hintAtSecret() string {
	escaped, one := r.escaped, r.one
	switch {
	case one && escaped == "":
		return "Token is empty in the query: register the URL with ?Token=SECRET"
	case one && (strings.Trim(escaped, "\"'") != escaped || strings.Contains(escaped, "%22")):
		return "the secret in the query is in quotes: register the URL without them"
	case one:
		return "another secret came than those that are accepted: if webhooks have stopped, accept the former one as well, and ask Mews which it has; else somebody guesses"
	case r.URL.RawQuery == "" && r.proxied():
		return "the URL has no query, and the request came through a proxy, which may have dropped it: have the proxy pass the query on"
	case r.URL.RawQuery == "":
		return "the URL has no query: register it with ?Token=SECRET"
	case strings.Contains(strings.ToLower(r.URL.RawQuery), "token="):
		return "the query has no member Token, or several: it is spelled with a capital T, and stands there once"
	}
	return "the query has no member Token: register the URL with ?Token=SECRET"
}

func (r *refusedRequest) hintAtBody() string {
	body, err := r.body, r.err
	packed := r.Header.Get("Content-Encoding")
	gzip := isGzip(r.Header)
	first := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case errors.Is(err, http.ErrBodyReadAfterClose):
		return "the body was closed before the handler read it: mount the handler before the middleware that reads bodies"
	case gzip && err != nil && len(body) == 0 && !errors.Is(err, io.EOF):
		return "Content-Encoding says gzip and the body is not: a proxy or a middleware unpacked it and left the header"
	case len(body) == 0 && r.ContentLength > 0 && (err == nil || errors.Is(err, io.EOF)):
		return "the body is empty although the request has a length: a middleware has read it; mount the handler before it, or have it put the body back"
	case err != nil:
		return "the body ended early or was too slow: the network, or a proxy that passes on what it does not have whole"
	case len(first) == 0:
		return "the request has no body: somebody else calls, or a middleware has read it"
	case first[0] == '<':
		return "the body is HTML or XML: somebody else calls, or something on the way sends a page of its own"
	case first[0] != '{' && bytes.ContainsRune(first, '='):
		return "the body is a form: somebody else calls, or something on the way changes it"
	case packed != "" && !gzip:
		return "Content-Encoding names something else than gzip, which alone is understood"
	}
	return "the body is not strict JSON: somebody else calls, or something on the way changes it"
}

// signatures are the headers that proxies add.
var signatures = []string{
	"Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Real-Ip",
	"X-Original-Uri", "X-Original-Url", "X-Envoy-External-Address", "Cf-Ray", "X-Amzn-Trace-Id",
}

// proxied reports whether a request shows that it came through a proxy.
func (r *refusedRequest) proxied() bool {
	return slices.ContainsFunc(signatures, func(name string) bool { return r.Header.Get(name) != "" })
}

// isGzip reports whether a body is packed, as its header says.
func isGzip(header http.Header) bool {
	encodings := header.Values("Content-Encoding")
	return len(encodings) == 1 && (strings.EqualFold(encodings[0], "gzip") || strings.EqualFold(encodings[0], "x-gzip"))
}
