package keyrack

import (
	"net/http"
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
	case RefusedStore:
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
}

// keptRefusals bounds what is remembered of refused requests.
const keptRefusals = 32

type refusals struct {
	mu     sync.Mutex
	counts map[Refusal]uint64
	recent []Refused
}

func (r *refusals) add(one Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = make(map[Refusal]uint64)
	}
	r.counts[one.Refusal]++
	if len(r.recent) == keptRefusals {
		r.recent = append(r.recent[:0], r.recent[1:]...)
	}
	r.recent = append(r.recent, one)
}
