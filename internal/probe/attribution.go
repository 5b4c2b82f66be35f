package probe

import (
	"iter"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// attribution finds out what a 401 is about. The Connector API gives the same answer for
// a token that is not valid, a ClientToken that is not, and a missing permission; only
// what else is heard at the time tells them apart. A 401 is about the token if another
// token with the same ClientToken got a 200 shortly before and shortly after:
//
//	            within a minute    within a minute
//	other token   200 ┄┄┄┄┄┄┐  ┌┄┄┄┄┄┄┄┄┄┄┄┄ 200
//	this token              401
//	                       began, answered
//
// It is a value without a clock. Times are of one clock that does not go back. Its
// user serializes the calls.
type attribution struct {
	works    map[string]bool // integrations whose latest answer was 200
	accepted [2]acceptance   // the latest 200, and the latest of another integration
	surprise acceptance      // the latest 401 against the deliveries

	inquiry *inquiry // the 401 that is being attributed; nil: none is

	refused map[string]time.Time // since the latest 200: 401s of integrations that were Valid
	touched map[string]bool      // by a trouble that is over, and not answered 200 since
	worked  int                  // how many worked before the first of them
	trouble bool
	since   time.Time // the latest 200, or the first 401 if there was none
	alone   time.Time // the first surprising 401 since the latest 200
	lonely  bool      // nobody has answered 200 for a while, and that was told
}

// acceptance is when a request about an integration began that got a 200, or a 401.
type acceptance struct {
	id string
	at time.Time
}

// inquiry is a 401 on its way to being attributed.
type inquiry struct {
	id         string
	token      lifecycle.Digest
	generation uint64
	opened     time.Time
	began      time.Time // of the latest request about it
	answered   time.Time // zero while it is to be asked again
	before     bool      // another token got a 200 within the window before
}

const (
	// Window is how far from a 401 the 200s may lie that attribute it.
	Window = time.Minute
	// troubleWindow is the time within which 401s count together as trouble.
	troubleWindow = 10 * time.Minute
	// patience is how long an inquiry is pursued.
	patience = 3 * time.Minute
	// lonelyAfter is how long nobody may answer 200 before it is told.
	lonelyAfter = 5 * time.Minute
)

func newAttribution() attribution {
	return attribution{works: make(map[string]bool), refused: make(map[string]time.Time), touched: make(map[string]bool)}
}

// know takes up what a record says of an integration's latest answer.
func (a *attribution) know(id string, works bool) {
	if works {
		a.works[id] = true
	} else {
		delete(a.works, id)
	}
}

// accept notes a 200 to a request that began at a time. It returns the inquiry that it
// settles, if any, and whether a trouble ends with it.
func (a *attribution) accept(id string, began time.Time) (settled *inquiry, ended bool) {
	a.works[id] = true
	delete(a.touched, id)
	if began.After(a.accepted[0].at) {
		if a.accepted[0].id != id {
			a.accepted[1] = a.accepted[0]
		}
		a.accepted[0] = acceptance{id, began}
		a.since = began
	}
	ended, a.trouble, a.lonely, a.alone = a.trouble, false, false, time.Time{}
	clear(a.refused)
	switch q := a.inquiry; {
	case q == nil:
	case q.id == id:
		a.inquiry = nil // it works
	case q.answered.IsZero() || !began.After(q.answered):
	case q.before && began.Sub(q.began) <= Window:
		a.inquiry, settled = nil, q
	default:
		q.answered = time.Time{} // now there is a 200 before: ask again
	}
	return settled, ended
}

// reject notes a 401 against what the deliveries say, to a request that began and was
// answered at these times. Valid says that the token's verdict was Valid until then. It
// reports whether a trouble begins with it.
func (a *attribution) reject(id string, token lifecycle.Digest, generation uint64, valid bool, began, answered time.Time) (trouble bool) {
	if a.since.IsZero() {
		a.since = began
	}
	if a.alone.IsZero() {
		a.alone = answered
	}
	if len(a.refused) == 0 {
		a.worked = len(a.works)
	}
	delete(a.works, id)
	if a.trouble {
		return false
	}
	before := a.vouched(id, began)
	if q := a.inquiry; q != nil && q.id != id {
		q.before = false // the next 200 comes after a surprise of somebody else's
		if !q.answered.IsZero() {
			q.answered = time.Time{}
		}
	}
	a.surprise = acceptance{id, answered}
	if a.inquiry == nil || a.inquiry.id == id {
		opened := answered
		if a.inquiry != nil {
			opened = a.inquiry.opened
		}
		a.inquiry = &inquiry{id, token, generation, opened, began, answered, before}
	}
	if !valid || a.touched[id] { // else those that did stop working would look like trouble for ever
		return false
	}
	for other, at := range a.refused {
		if answered.Sub(at) > troubleWindow {
			delete(a.refused, other)
		}
	}
	a.refused[id] = answered
	n := len(a.refused)
	a.trouble = n >= 3 || n == 2 && a.worked == 2
	if a.trouble {
		a.inquiry = nil
		clear(a.refused)
	}
	return a.trouble
}

// vouched reports whether an integration other than id got a 200 within the window
// before a time, and nobody else a surprising 401 since.
func (a *attribution) vouched(id string, at time.Time) bool {
	for _, other := range a.accepted {
		if other.id == "" || other.id == id || other.at.After(at) || at.Sub(other.at) > Window {
			continue
		}
		if a.surprise.id == "" || a.surprise.id == id || a.surprise.at.Before(other.at) {
			return true
		}
	}
	return false
}

// witnesses yields the integrations whose latest answer was 200, the latest two first.
func (a *attribution) witnesses() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, latest := range a.accepted {
			if a.works[latest.id] && !yield(latest.id) {
				return
			}
		}
		for id := range a.works {
			if !yield(id) {
				return
			}
		}
	}
}

// expire gives an inquiry up that went on for too long, and returns its integration.
func (a *attribution) expire(now time.Time) (id string) {
	if q := a.inquiry; q != nil && now.Sub(q.opened) > patience {
		a.inquiry = nil
		return q.id
	}
	return ""
}

// nobody reports, once, that nobody has answered 200 for too long although somebody is
// asked.
func (a *attribution) nobody(now time.Time) bool {
	if a.lonely || a.trouble || a.alone.IsZero() || now.Sub(a.alone) < lonelyAfter || len(a.works) > 0 {
		return false
	}
	a.lonely = true
	return true
}
