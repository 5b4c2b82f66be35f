package connector

import (
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Mews's limit: requests per AccessToken in a sliding window.
const (
	requestLimit  = 200
	requestWindow = 30 * time.Second
)

// limiter keeps the requests of each token below a limit: of any window, however
// it lies in time, at most limit requests begin in it. It keeps the times of the
// requests in the latest window, 8 bytes each, so the count is exact. A token is
// forgotten within two windows after its last request. A limiter is safe for concurrent
// use and uses the monotonic clock.
//
// The zero value is not ready; see newLimiter.
type limiter struct {
	limit  int
	window time.Duration

	mu     sync.Mutex
	start  time.Time // times count from here
	swept  time.Duration
	tokens map[lifecycle.Digest]*usage
}

// usage is what one token did.
type usage struct {
	began  []time.Duration // when the requests of the latest window began, in order
	paused time.Duration   // no request before this
}

// newLimiter returns a limiter, such as newLimiter(requestLimit, requestWindow). A limit below
// 1 counts as 1.
func newLimiter(limit int, window time.Duration) *limiter {
	return &limiter{
		limit:  max(limit, 1),
		window: window,
		start:  time.Now(),
		tokens: map[lifecycle.Digest]*usage{},
	}
}

// Allow takes one request for a token, to begin now, and returns 0. If the token may
// have none, it returns how long that will last, unless others come first.
func (l *limiter) Allow(token lifecycle.Digest) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.start)
	l.sweep(now)
	u := l.of(token)
	if u.paused > now {
		return u.paused - now
	}
	u.expire(now - l.window)
	if len(u.began) == l.limit {
		return u.began[0] + l.window - now
	}
	u.began = append(u.began, now)
	return 0
}

// Pause allows a token no request for d from now. It never shortens a pause.
func (l *limiter) Pause(token lifecycle.Digest, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.start)
	l.sweep(now)
	u := l.of(token)
	u.paused = max(u.paused, now+d)
}

func (l *limiter) of(token lifecycle.Digest) *usage {
	u := l.tokens[token]
	if u == nil {
		u = new(usage)
		l.tokens[token] = u
	}
	return u
}

// expire forgets the requests that began at or before a time. It reuses the array, so
// the slice stays close to the limit.
func (u *usage) expire(until time.Duration) {
	n := 0
	for n < len(u.began) && u.began[n] <= until {
		n++
	}
	if n > 0 {
		u.began = append(u.began[:0], u.began[n:]...)
	}
}

// sweep forgets, once per window, the tokens with neither recent requests nor a pause.
func (l *limiter) sweep(now time.Duration) {
	if now-l.swept < l.window {
		return
	}
	l.swept = now
	for token, u := range l.tokens {
		if n := len(u.began); u.paused <= now && (n == 0 || u.began[n-1] <= now-l.window) {
			delete(l.tokens, token)
		}
	}
}
