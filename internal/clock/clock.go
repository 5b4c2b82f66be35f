// Package clock tells a time that does not go back while the process lives.
//
// A wall clock that jumps ahead makes evidence look older than it is, which is safe. One
// that is set back would make evidence look younger, and a Valid outlive MaxAge. So
// the time is the wall clock's or, if that was set back, the time at the start plus what
// has passed since by the monotonic clock. A suspended machine's monotonic clock stands
// still, which is why the wall clock counts as well.
package clock

import (
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Clock tells the time. Make one with New. It is safe for concurrent use.
type Clock struct {
	start time.Time
	wall  lifecycle.Instant // at the start
}

// New starts a clock.
func New() Clock {
	start := time.Now()
	return Clock{start, lifecycle.At(start)}
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	now := time.Now()
	if steady := c.start.Add(now.Sub(c.start)); now.Round(0).Before(steady.Round(0)) {
		return steady
	}
	return now
}

// Instant returns the time as records have it. It is quicker than Now.
func (c *Clock) Instant() lifecycle.Instant {
	now := time.Now()
	return max(lifecycle.Instant(now.UnixMicro()), c.wall+lifecycle.Instant(now.Sub(c.start)/time.Microsecond))
}
