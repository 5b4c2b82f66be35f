package connector

import (
	"net/http"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/internal/backoff"
)

// retryAfter reads how long to wait, from 0 (nothing said, or nothing that can
// be understood) to backoff.MaxRetryAfter. A date is compared with the response's own,
// so that a clock that is wrong on either side does not count.
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

// Backoff returns how long to wait before asking again after a number of questions in
// a row that got no answer: a random time, evenly from 0 to 1 s after the first, to
// 2 s after the second, and so on up to 5 min ("full jitter"). If the other side said
// when to come back, that goes first: retryAfter, at most an hour of it, and up to a
// second or a tenth of it more, whichever is longer.
//
// random returns numbers in [0, 1); nil stands for math/rand/v2's.
func Backoff(attempt int, retryAfter time.Duration, random func() float64) time.Duration {
	return backoff.Wait(attempt, retryAfter, random)
}
