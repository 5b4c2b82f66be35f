package probe

import (
	"container/heap"
	"time"
)

// class is a kind of probe, the most urgent first.
type class int

const (
	proven    class = iota // as first, for an integration that was proved once and is not Valid
	first                  // a token about which nothing was ever asked
	unknown                // a contradiction, or a verdict that is Unknown
	delivered              // a delivery came
	again                  // a witness, or what was asked in vain
	renewed                // an answer that grows old
	numClasses
)

// queue orders the integrations by class, and within a class by how long they have
// waited. Of ten turns each class after the most urgent has one to itself, so that no storm in
// one of them starves another. It is not safe for concurrent use.
type queue struct {
	waits   map[string]*wait
	classes [numClasses]waits
	turn    int
}

// wait is one integration's place in the queue.
type wait struct {
	id    string
	due   time.Time
	class class
	place int // in its heap; -1: in none

	asked      time.Time    // when the latest request began
	firsts     [3]time.Time // when the latest first probes were sent
	generation uint64       // of the record that the following is about
	attempts   int          // in a row without an answer that settles
	refusals   int          // in a row that settled, against the deliveries
	backoff    time.Duration
	inFlight   bool
	silent     bool // its latest answer said nothing, and not when to come back
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
func (q *queue) set(w *wait, due time.Time, c class) {
	q.unset(w)
	w.due, w.class = due, c
	heap.Push(&q.classes[c], w)
}

// unset takes an integration out, its history kept.
func (q *queue) unset(w *wait) {
	if w.place >= 0 {
		heap.Remove(&q.classes[w.class], w.place)
	}
}

// next takes out the integration whose turn it is, leaving the held class out. If none
// is due yet it returns when the first will be; the zero time if none ever will.
func (q *queue) next(now time.Time, held func(class) bool) (*wait, time.Time) {
	favoured := proven
	if t := q.turn % (2 * int(numClasses-1)); t%2 == 1 {
		favoured = first + class(t/2)
	}
	if w := q.pop(favoured, now, held); w != nil {
		q.turn++
		return w, time.Time{}
	}
	var soonest time.Time
	for c := range numClasses {
		if w := q.pop(c, now, held); w != nil {
			q.turn++
			return w, time.Time{}
		}
		if h := q.classes[c]; len(h) > 0 && !held(c) && (soonest.IsZero() || h[0].due.Before(soonest)) {
			soonest = h[0].due
		}
	}
	return nil, soonest
}

// pop takes out the first of a class that is due.
func (q *queue) pop(c class, now time.Time, held func(class) bool) *wait {
	if c < 0 || held(c) || len(q.classes[c]) == 0 || q.classes[c][0].due.After(now) {
		return nil
	}
	return heap.Pop(&q.classes[c]).(*wait)
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
