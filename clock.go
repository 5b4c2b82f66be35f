package keyrack

import (
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// clock never goes back while the process lives: it is the wall clock or, where
// that was set back, the time that has passed since the start. A wall clock that
// jumps ahead makes evidence older than it is, which is safe; one that is set
// back would make it younger.
type clock struct {
	start time.Time
	wall  lifecycle.Instant // at the start
}

func newClock() clock {
	start := time.Now()
	return clock{start, lifecycle.At(start)}
}

func (c *clock) now() time.Time {
	now := time.Now()
	if steady := c.start.Add(now.Sub(c.start)); now.Round(0).Before(steady.Round(0)) {
		return steady
	}
	return now
}

func (c *clock) instant() lifecycle.Instant {
	now := time.Now()
	return max(lifecycle.Instant(now.UnixMicro()), c.wall+lifecycle.Instant(now.Sub(c.start)/time.Microsecond))
}
