package api

import "sync"

const (
	repeatLimit = 255  // of an Idempotency-Key, in bytes
	repeatsKept = 4096 // the latest keys
)

// repeats are the Idempotency-Keys that came lately, so that a request that is sent again
// counts once. The zero value has none. It is safe for concurrent use.
type repeats struct {
	mu    sync.Mutex
	known map[repeat]bool
	order [repeatsKept]repeat
	next  int
}

// repeat is a key as one caller sent it.
type repeat struct{ caller, key string }

// first reports whether a caller sends a key for the first time, as far as is known. A
// request without a key always is.
func (r *repeats) first(caller, key string) bool {
	if key == "" {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	one := repeat{caller, key}
	if r.known[one] {
		return false
	}
	if r.known == nil {
		r.known = make(map[repeat]bool, repeatsKept)
	}
	delete(r.known, r.order[r.next])
	r.known[one], r.order[r.next] = true, one
	r.next = (r.next + 1) % repeatsKept
	return true
}

// forget makes a key count again: the request failed.
func (r *repeats) forget(caller, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, repeat{caller, key})
}
