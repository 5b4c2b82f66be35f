package probe

import (
	"container/heap"
	"time"
)

// queue orders the integrations by when they are to be asked about. Questions that
// a delivery has opened come before those of the lease, but of four turns one is
// the lease's, so that no storm starves it. It is not safe for concurrent use.
type queue struct {
	waits   map[string]*wait
	urgent  waits
	routine waits
	turn    int
}

// wait is one integration's place in the queue.
type wait struct {
	id     string
	due    time.Time
	urgent bool
	place  int // in its heap; -1: in none

	asked      time.Time // when the latest request began
	generation uint64    // of the record that the following is about
	attempts   int       // in a row without an answer that settles
	backoff    time.Duration
	inFlight   bool
	unswept    bool // its latest answer is from before the sweep
}

func newQueue() queue { return queue{waits: make(map[string]*wait)} }

// wait returns the place of an integration. It is a new one if there was none.
func (q *queue) wait(id string) *wait {
	w := q.waits[id]
	if w == nil {
		w = &wait{id: id, place: -1}
		q.waits[id] = w
	}
	return w
}

// set makes an integration due.
func (q *queue) set(w *wait, due time.Time, urgent bool) {
	q.unset(w)
	w.due, w.urgent = due, urgent
	heap.Push(q.heapOf(w), w)
}

// unset takes an integration out, its history kept.
func (q *queue) unset(w *wait) {
	if w.place >= 0 {
		heap.Remove(q.heapOf(w), w.place)
	}
}

func (q *queue) heapOf(w *wait) *waits {
	if w.urgent {
		return &q.urgent
	}
	return &q.routine
}

// next takes out the integration whose turn it is. If none is due yet it returns
// when the first will be, the zero time if ever.
func (q *queue) next(now time.Time) (*wait, time.Time) {
	first, second := &q.urgent, &q.routine
	if q.turn%4 == 3 {
		first, second = second, first
	}
	for _, h := range []*waits{first, second} {
		if len(*h) > 0 && !(*h)[0].due.After(now) {
			q.turn++
			return heap.Pop(h).(*wait), time.Time{}
		}
	}
	var soonest time.Time
	for _, h := range []*waits{first, second} {
		if len(*h) > 0 && (soonest.IsZero() || (*h)[0].due.Before(soonest)) {
			soonest = (*h)[0].due
		}
	}
	return nil, soonest
}

// waits is a heap by due time.
type waits []*wait

func (h waits) Len() int           { return len(h) }
func (h waits) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h waits) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].place, h[j].place = i, j }
func (h *waits) Push(x any)        { w := x.(*wait); w.place = len(*h); *h = append(*h, w) }
func (h *waits) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	w.place = -1
	return w
}
