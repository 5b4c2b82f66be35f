// Package watch ends contexts: integrations come in, each with the context of some work
// for it, and the context ends when the integration's token may no longer be used.
//
// That is at once where the verdict is Invalid, and where it is Unknown after a time of
// patience, during which it may become Valid again. Evidence tells by [Watches.Touch],
// before who brought it has an answer. Time alone tells by [Watches.Run], which holds the
// instants in a heap, so that watching costs no goroutine and no timer for each.
//
//	id ──► watch ──► watch         one for each piece of work
//	         ▲
//	heap ────┘                     those that end by time alone, the first on top
package watch

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// look is how often the clock is looked at, which may have jumped.
const look = time.Minute

// Options are what Watches need. The functions may not block.
type Options struct {
	// Now tells the time.
	Now func() lifecycle.Instant
	// Look returns the verdict on an integration's current token, and when it may change
	// by itself; 0 for never.
	Look func(id string) (v lifecycle.Verdict, next lifecycle.Instant)
	// Name returns the id by which an integration goes now that was known under another.
	Name func(id string) string
	// Patience is how long an Unknown is borne.
	Patience time.Duration
	// Cause makes of a verdict the cause of a context's end, and Closed is the cause once
	// Run has returned.
	Cause  func(lifecycle.Verdict) error
	Closed error
}

// Watches holds the contexts. Make them with New. They are safe for concurrent use.
type Watches struct {
	Options
	poke chan struct{} // what ends first has changed

	mu     sync.Mutex
	closed bool
	byID   map[string]*watch
	heap   watches
}

// watch is one context.
type watch struct {
	id      string
	ctx     context.Context
	cancel  context.CancelCauseFunc
	next    *watch            // of the same integration
	unknown lifecycle.Instant // since when the verdict is Unknown; 0: it is not
	at      lifecycle.Instant // when to look again
	place   int               // in the heap; -1: not in it
}

// New returns Watches without any context.
func New(o Options) *Watches {
	return &Watches{Options: o, poke: make(chan struct{}, 1), byID: make(map[string]*watch)}
}

// Add returns a context that ends with its parent, or with the verdict on an integration
// as its cause. What it holds is given back once it has ended by a verdict, or with stop.
func (w *Watches) Add(parent context.Context, id string) (ctx context.Context, stop context.CancelFunc) {
	one := &watch{id: id, place: -1}
	one.ctx, one.cancel = context.WithCancelCause(parent)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		one.cancel(w.Closed)
		return one.ctx, func() {}
	}
	one.next = w.byID[id]
	w.byID[id] = one
	w.see(id)
	return one.ctx, func() { w.stop(one) }
}

// Touch takes up that an integration has a new record. The contexts that end by it have
// ended when it returns.
func (w *Watches) Touch(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if name := w.Name(id); name != id {
		w.rename(id, name)
		id = name
	}
	w.see(id)
}

// TouchAll takes up that all verdicts may have changed.
func (w *Watches) TouchAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.byID {
		w.see(id)
	}
}

// rename takes the contexts of one id to another. w.mu is held.
func (w *Watches) rename(from, to string) {
	for one := w.byID[from]; one != nil; {
		following := one.next
		one.id, one.next = to, w.byID[to]
		w.byID[to] = one
		one = following
	}
	delete(w.byID, from)
}

// Len returns how many contexts are watched.
func (w *Watches) Len() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.byID {
		for ; one != nil; one = one.next {
			n++
		}
	}
	return n
}

func (w *Watches) stop(one *watch) {
	one.cancel(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.drop(one)
	}
}

// see looks at an integration. w.mu is held.
func (w *Watches) see(id string) {
	one := w.byID[id]
	if one == nil {
		return
	}
	v, next := w.Look(id)
	now := w.Now()
	for one != nil {
		following := one.next
		w.judge(one, v, now, next)
		one = following
	}
}

// judge ends a context, or says when to look at it again. w.mu is held.
func (w *Watches) judge(one *watch, v lifecycle.Verdict, now, next lifecycle.Instant) {
	at := next
	switch v.Status {
	case lifecycle.Valid:
		one.unknown = 0
	case lifecycle.Unknown:
		if one.unknown == 0 || one.unknown > now { // in the latter case the clock was set back
			one.unknown = now
		}
		ends := one.unknown + lifecycle.Instant(w.Patience/time.Microsecond)
		if ends <= now {
			one.cancel(w.Cause(v))
		} else if at == 0 || ends < at {
			at = ends
		}
	default:
		one.cancel(w.Cause(v))
	}
	if one.ctx.Err() != nil { // also by its parent
		w.drop(one)
		return
	}
	w.set(one, at)
}

// set says when to look at a context again; 0 for never. w.mu is held.
func (w *Watches) set(one *watch, at lifecycle.Instant) {
	one.at = at
	switch {
	case at == 0 && one.place >= 0:
		heap.Remove(&w.heap, one.place)
	case at == 0:
	case one.place >= 0:
		heap.Fix(&w.heap, one.place)
	default:
		heap.Push(&w.heap, one)
	}
	if one.place == 0 {
		select {
		case w.poke <- struct{}{}:
		default:
		}
	}
}

// drop forgets a context. w.mu is held.
func (w *Watches) drop(one *watch) {
	if one.place >= 0 {
		heap.Remove(&w.heap, one.place)
	}
	first := w.byID[one.id]
	if first == one {
		if one.next == nil {
			delete(w.byID, one.id)
		} else {
			w.byID[one.id] = one.next
		}
	}
	for other := first; other != nil; other = other.next {
		if other.next == one {
			other.next = one.next
			break
		}
	}
}

// Run ends contexts by time, until ctx ends. Then it ends all that are left.
func (w *Watches) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		var clock <-chan time.Time
		if wait, any := w.pass(); any {
			timer.Reset(wait)
			clock = timer.C
		}
		select {
		case <-clock:
		case <-w.poke:
		case <-ctx.Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, one := range w.byID {
		for ; one != nil; one = one.next {
			one.cancel(w.Closed)
		}
	}
	w.byID, w.heap = nil, nil
}

// pass looks at all whose time has come. It returns how long to wait for the next, and
// whether there is one.
func (w *Watches) pass() (wait time.Duration, any bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.heap) > 0 {
		first, now := w.heap[0], w.Now()
		if first.at > now {
			return min(look, first.at.Sub(now)), true
		}
		v, next := w.Look(first.id)
		if next != 0 && next <= now { // a look later than now was promised
			next = now + 1
		}
		w.judge(first, v, now, next)
	}
	return 0, false
}

// watches is a heap by instant. Packages due and probe have heaps as well, and what could
// be shared is in container/heap: one holds values that may be outdated, this one pointers
// that know their place, the third orders by time.Time. A common heap would need as many
// methods of each, and keep a place for the one that has no use for it.
type watches []*watch

func (h watches) Len() int           { return len(h) }
func (h watches) Less(i, j int) bool { return h[i].at < h[j].at }
func (h watches) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].place, h[j].place = i, j }
func (h *watches) Push(x any)        { one := x.(*watch); one.place = len(*h); *h = append(*h, one) }
func (h *watches) Pop() any {
	old := *h
	one := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	one.place = -1
	return one
}
