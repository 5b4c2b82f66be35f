package mewstest

import (
	"math/rand/v2"
	"time"
)

// Spread is a duration that is evenly distributed from Min to Max. The meaning of the
// zero Spread is stated where it is used. AtOnce is no time at all.
type Spread struct{ Min, Max time.Duration }

// AtOnce is the Spread of no time at all.
var AtOnce = Spread{-1, -1}

func (s Spread) or(usual Spread) Spread {
	if s == (Spread{}) {
		return usual
	}
	return s
}

// draw takes one number from r, whatever the Spread is.
func (s Spread) draw(r *rand.Rand) time.Duration {
	f := r.Float64()
	return max(0, s.Min+time.Duration(f*float64(s.Max-s.Min)))
}

// Window is a stretch of time that may recur.
type Window struct {
	Start time.Duration // after the World was made
	For   time.Duration // how long it lasts
	Every time.Duration // from one start to the next; 0: it does not recur
}

// left returns how much longer a window is open at a time after the World was made, or
// 0 if it is not open.
func (w Window) left(since time.Duration) time.Duration {
	since -= w.Start
	if since < 0 {
		return 0
	}
	if w.Every > 0 {
		since %= w.Every
	}
	return max(0, w.For-since)
}

func longest(windows []Window, since time.Duration) (left time.Duration) {
	for _, w := range windows {
		left = max(left, w.left(since))
	}
	return left
}
