// Package backoff tells how long to wait before trying again what has failed several
// times in a row. A count of attempts goes in, and a random time comes back, so that
// those who failed together do not all come back together. It keeps no state.
package backoff

import (
	"math/rand/v2"
	"time"
)

// MaxRetryAfter is the longest time that the other side can have a caller wait.
const MaxRetryAfter = time.Hour

const (
	base = time.Second
	most = 5 * time.Minute
)

// Wait returns how long to wait after a number of failures in a row: a random time,
// evenly from 0 to 1 s after the first, to 2 s after the second, and so on up to 5 min
// ("full jitter"). If the other side said when to come back, that goes first:
// retryAfter, at most MaxRetryAfter of it, and up to a second or a tenth of it more,
// whichever is longer.
//
// random returns numbers in [0, 1); nil stands for math/rand/v2's.
func Wait(attempts int, retryAfter time.Duration, random func() float64) time.Duration {
	if random == nil {
		random = rand.Float64
	}
	r := min(max(random(), 0), 1)
	if retryAfter > 0 {
		retryAfter = min(retryAfter, MaxRetryAfter)
		return retryAfter + time.Duration(r*float64(max(base, retryAfter/10)))
	}
	longest := base
	for i := 1; i < attempts && longest < most; i++ {
		longest *= 2
	}
	return time.Duration(r * float64(min(longest, most)))
}
