package probe

import (
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// attribution tells what a 401 is about. The Connector API gives the same answer
// for a token that is not valid, a ClientToken that is not, and a missing
// permission; only what else is heard at the time tells them apart. Times are
// of one clock that does not go back.
type attribution struct {
	accepted [2]acceptance        // the latest 200, and the latest of another integration
	rejected map[string]time.Time // 401s within the minute, since the latest 200
	trouble  bool
}

// acceptance is when an integration's token got a 200.
type acceptance struct {
	id string
	at time.Time
}

const (
	// Window is how long a 200 vouches for the ClientToken, and within
	// which 401s count together.
	Window = time.Minute
	// troubleCount is of how many integrations a 401 is nobody's own any more.
	troubleCount = 3
)

// accept notes a 200. It tells whether a trouble ends with it.
func (a *attribution) accept(id string, now time.Time) (ended bool) {
	if a.accepted[0].id != id {
		a.accepted[1] = a.accepted[0]
	}
	a.accepted[0] = acceptance{id, now}
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
	for other, at := range a.rejected {
		if now.Sub(at) > Window {
			delete(a.rejected, other)
		}
	}
	if surprising && !a.trouble {
		if a.rejected == nil {
			a.rejected = make(map[string]time.Time)
		}
		a.rejected[id] = now
		if len(a.rejected) >= troubleCount && !a.vouched("", now) {
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
	case !a.trouble && (workedBefore || a.vouched(id, now)):
		return lifecycle.Rejected, nil
	}
	return lifecycle.Unattributed, nil
}

// vouched tells whether an integration other than id got a 200 within the minute.
func (a *attribution) vouched(id string, now time.Time) bool {
	for _, other := range a.accepted {
		if other.id != "" && other.id != id && now.Sub(other.at) <= Window {
			return true
		}
	}
	return false
}
