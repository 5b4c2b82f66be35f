package connector

import (
	"net/http"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/internal/backoff"
)

// retryAfter returns the wait that a response asks for, at most
// backoff.MaxRetryAfter, and 0 if it asks for none or is not understood. A date is
// compared with the response's own Date, so that wrong clocks do not matter.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s == "" {
		return 0
	}
	if strings.Trim(s, "0123456789") == "" {
		seconds := time.Duration(0)
		for _, digit := range s {
			seconds = min(10*seconds+time.Duration(digit-'0'), backoff.MaxRetryAfter/time.Second)
		}
		return seconds * time.Second
	}
	date, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	return min(max(date.Sub(now), 0), backoff.MaxRetryAfter)
}

// Backoff returns how long to wait before the next probe after a number of probes in a
// row without an answer: a random time between 0 and 1 s after the first, 2 s after the
// second, and so on up to 5 min ("full jitter"). If the other side said when to come
// back, the wait is retryAfter, at most an hour, plus up to a second or a tenth of it,
// whichever is longer, so that not everyone returns at the same moment.
//
// random returns numbers in [0, 1); nil means that of math/rand/v2.
func Backoff(attempt int, retryAfter time.Duration, random func() float64) time.Duration {
	return backoff.Wait(attempt, retryAfter, random)
}
