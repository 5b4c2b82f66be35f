package backoff_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/internal/backoff"
)

func TestWait(t *testing.T) {
	least := func() float64 { return 0 }
	most := func() float64 { return 1 - 1.0/(1<<53) }
	about := func(d, want time.Duration) bool { return d <= want && d >= want-time.Microsecond }
	for _, c := range []struct {
		attempt    int
		retryAfter time.Duration
		most       time.Duration
	}{
		{-1, 0, time.Second},
		{0, 0, time.Second},
		{1, 0, time.Second},
		{2, 0, 2 * time.Second},
		{3, 0, 4 * time.Second},
		{9, 0, 256 * time.Second},
		{10, 0, 5 * time.Minute},
		{11, 0, 5 * time.Minute},
		{1 << 30, 0, 5 * time.Minute},
		{1, -time.Hour, time.Second},
		{1, time.Second, 2 * time.Second},
		{50, time.Second, 2 * time.Second},
		{1, time.Minute, 66 * time.Second},
		{1, time.Hour, 66 * time.Minute},
		{1, 1<<63 - 1, 66 * time.Minute},
	} {
		if d := backoff.Wait(c.attempt, c.retryAfter, most); !about(d, c.most) {
			t.Errorf("attempt %d after %v: at most %v, want %v", c.attempt, c.retryAfter, d, c.most)
		}
		want := min(max(c.retryAfter, 0), time.Hour)
		if d := backoff.Wait(c.attempt, c.retryAfter, least); d != want {
			t.Errorf("attempt %d after %v: at least %v, want %v", c.attempt, c.retryAfter, d, want)
		}
	}
}

func TestWaitIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		attempt := rapid.Int().Draw(t, "attempt")
		retryAfter := time.Duration(rapid.Int64().Draw(t, "retryAfter"))
		r := rapid.Float64().Draw(t, "random")
		var random func() float64
		if rapid.Bool().Draw(t, "given") {
			random = func() float64 { return r }
		}
		d := backoff.Wait(attempt, retryAfter, random)
		if least := min(max(retryAfter, 0), time.Hour); d < least || d > max(5*time.Minute, least+max(time.Second, least/10)) {
			t.Errorf("%v", d)
		}
	})
}

// TestWaitIsEven: full jitter is even.
func TestWaitIsEven(t *testing.T) {
	const n = 100_000
	var sum time.Duration
	for range n {
		sum += backoff.Wait(5, 0, nil)
	}
	if mean := sum / n; mean < 7900*time.Millisecond || mean > 8100*time.Millisecond {
		t.Errorf("the mean of 0 to 16 s is %v", mean)
	}
}
