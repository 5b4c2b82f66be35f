package keyrack

import (
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// attribution tells what a 401 is about. The Connector API gives the same answer
// for a token that is not valid, a ClientToken that is not, and a missing
// permission; only what else is heard at the time tells them apart. Times are
// of one clock that does not go back.
type attribution struct {
	accepted map[string]time.Time // latest 200 of an integration, within the minute
	rejected map[string]time.Time // 401s within the minute, since the latest 200
	trouble  bool
}

const (
	// attributionWindow is how long a 200 vouches for the ClientToken, and within
	// which 401s count together.
	attributionWindow = time.Minute
	// troubleCount is of how many integrations a 401 is nobody's own any more.
	troubleCount = 3
)

// accept notes a 200. It tells whether a trouble ends with it.
func (a *attribution) accept(id string, now time.Time) (ended bool) {
	if a.accepted == nil {
		a.accepted = make(map[string]time.Time)
	}
	a.expire(now)
	a.accepted[id] = now
	ended = a.trouble
	a.trouble = false
	clear(a.rejected)
	return ended
}

// reject says what a 401 means: Rejected, Unattributed or, for a surprising one in
// times of trouble, NoAnswer. Surprising is a 401 about a token that was not
// known to be invalid; only those count towards a trouble, or three hotels that
// disable their integrations in one minute would be one. If a trouble begins with
// this 401, reject returns the integrations whose rejections within the minute
// are in doubt now.
func (a *attribution) reject(id string, workedBefore, surprising bool, now time.Time) (_ lifecycle.Answer, doubted []string) {
	a.expire(now)
	if surprising && !a.trouble {
		if a.rejected == nil {
			a.rejected = make(map[string]time.Time)
		}
		a.rejected[id] = now
		if len(a.rejected) >= troubleCount && len(a.accepted) == 0 {
			a.trouble = true
			for other := range a.rejected {
				if other != id {
					doubted = append(doubted, other)
				}
			}
			clear(a.rejected)
		}
	}
	switch {
	case a.trouble && surprising:
		return lifecycle.NoAnswer, doubted
	case !a.trouble && (workedBefore || a.vouched(id)):
		return lifecycle.Rejected, nil
	}
	return lifecycle.Unattributed, nil
}

// vouched tells whether another integration got a 200 within the minute.
func (a *attribution) vouched(id string) bool {
	for other := range a.accepted {
		if other != id {
			return true
		}
	}
	return false
}

func (a *attribution) expire(now time.Time) {
	for _, m := range []map[string]time.Time{a.accepted, a.rejected} {
		for id, at := range m {
			if now.Sub(at) > attributionWindow {
				delete(m, id)
			}
		}
	}
}
