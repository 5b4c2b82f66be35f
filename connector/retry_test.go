package connector_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/backoff"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestRetryAfter: the header in every form that it may come in. In a bubble the
// clock stands at midnight of 1 January 2000.
func TestRetryAfter(t *testing.T) {
	const (
		now  = "Sat, 01 Jan 2000 00:00:00 GMT"
		soon = "Sat, 01 Jan 2000 00:02:00 GMT"
	)
	for _, c := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"1", "", time.Second},
		{" 90 ", "", 90 * time.Second},
		{"0090", "", 90 * time.Second},
		{"3600", "", time.Hour},
		{"3601", "", time.Hour},
		{"99999999999999999999999999", "", time.Hour},
		{"-1", "", 0},
		{"+1", "", 0},
		{"1.5", "", 0},
		{"1,2", "", 0},
		{"0x10", "", 0},
		{"٣", "", 0},
		{"soon", "", 0},
		{soon, "", 2 * time.Minute},
		{soon, now, 2 * time.Minute},
		{soon, "Sat, 01 Jan 2000 00:01:30 GMT", 30 * time.Second}, // our clock is slow
		{soon, "Fri, 31 Dec 1999 23:59:00 GMT", 3 * time.Minute},  // ours is fast
		{soon, "nonsense", 2 * time.Minute},
		{"Saturday, 01-Jan-00 00:02:00 GMT", "", 2 * time.Minute}, // RFC 850
		{"Sat Jan  1 00:02:00 2000", "", 2 * time.Minute},         // asctime
		{now, "", 0},
		{"Fri, 31 Dec 1999 23:00:00 GMT", "", 0},
		{"Sun, 02 Jan 2000 00:00:00 GMT", "", time.Hour},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", time.Hour},
		{"Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := through(t, func(*http.Request) (*http.Response, error) {
				r := respond(429, "")
				r.Header.Set("Retry-After", c.value)
				if c.date != "" {
					r.Header.Set("Date", c.date)
				}
				return r, nil
			})
			a, err := client.Probe(t.Context(), token, "")
			wantSilent(t, a, err, connector.OtherStatus)
			if a.RetryAfter != c.want {
				t.Errorf("%q at %q: %v, want %v", c.value, c.date, a.RetryAfter, c.want)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("Sat, 01 Jan 2000 00:02:00 GMT", "Sat, 01 Jan 2000 00:00:00 GMT")
	f.Add("-9223372036854775808", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, value, date string) {
		c := through(t, func(*http.Request) (*http.Response, error) {
			r := respond(503, "")
			r.Header["Retry-After"], r.Header["Date"] = []string{value}, []string{date}
			return r, nil
		})
		a, err := c.Probe(t.Context(), token, "")
		wantSilent(t, a, err, connector.OtherStatus)
		if a.RetryAfter < 0 || a.RetryAfter > time.Hour {
			t.Errorf("%v", a.RetryAfter)
		}
		if n, err := strconv.ParseUint(value, 10, 64); err == nil && value[0] != '+' && a.RetryAfter != time.Duration(min(n, 3600))*time.Second {
			t.Errorf("%v for %d s", a.RetryAfter, n)
		}
	})
}

// TestPatience: against a Mews that answers 429 without Retry-After for a while,
// a caller that backs off asks seldom and gets through.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, asked := time.Now(), 0
		c := through(t, func(*http.Request) (*http.Response, error) {
			if asked++; time.Since(start) < 10*time.Minute {
				return respond(429, ""), nil
			}
			return respond(200, accepted), nil
		})
		for attempt := 1; ; attempt++ {
			a, err := c.Probe(t.Context(), lifecycle.NewToken(accessToken), "")
			if err == nil {
				break
			}
			if !errors.Is(err, connector.ErrSilent) {
				t.Fatal(err)
			}
			time.Sleep(backoff.Wait(attempt, a.RetryAfter, nil))
		}
		if d := time.Since(start); d > 16*time.Minute || asked > 60 {
			t.Errorf("asked %d times in %v", asked, d)
		}
	})
}
