package mewstest

import "time"

// The Connector API's limit on the requests with one token, in a sliding window.
const (
	quotaRequests = 200
	quotaWindow   = 30 * time.Second
)

// quota enforces the limit. A request that it refuses does not count.
type quota struct {
	taken map[keyID][]time.Time // of the last window, oldest first
	sweep time.Time             // when to forget tokens without requests
}

// take counts a request, or returns how long to wait until the next one would be
// counted.
func (q *quota) take(id keyID, now time.Time) (wait time.Duration) {
	if !now.Before(q.sweep) {
		for id, taken := range q.taken {
			if !recent(taken[len(taken)-1], now) {
				delete(q.taken, id)
			}
		}
		q.sweep = now.Add(quotaWindow)
	}
	if q.taken == nil {
		q.taken = map[keyID][]time.Time{}
	}
	taken := q.taken[id]
	n := 0
	for n < len(taken) && !recent(taken[n], now) {
		n++
	}
	taken = taken[n:]
	if len(taken) >= quotaRequests {
		wait = taken[0].Add(quotaWindow).Sub(now)
	} else {
		taken = append(taken, now)
	}
	q.taken[id] = taken
	return wait
}

// recent reports whether a request still counts.
func recent(at, now time.Time) bool { return now.Sub(at) < quotaWindow }
