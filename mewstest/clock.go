package mewstest

import (
	"container/heap"
	"time"
)

// now is the time on the World's clock: package time's, unless Options.Start gave the
// World one of its own.
func (w *World) now() time.Time {
	if own := w.own.Load(); own != nil {
		return *own
	}
	return time.Now()
}

func (w *World) since(t time.Time) time.Duration { return w.now().Sub(t) }

// Now returns the time on the World's clock.
func (w *World) Now() time.Time { return w.now() }

// Advance moves the World's own clock on, and does in order what falls due until then:
// every webhook is sent, and its answer waited for, at the time for which it was planned.
// Afterwards the clock has moved by d. Advance does nothing for d ≤ 0, and nothing where
// package time's clock is the World's: see [Options].Start. Calls of Advance wait for one
// another.
func (w *World) Advance(d time.Duration) {
	w.advancing.Lock()
	defer w.advancing.Unlock()
	own := w.own.Load()
	if own == nil || d <= 0 {
		return
	}
	end := own.Add(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	for todo := &w.agenda.todo; len(*todo) > 0 && !(*todo)[0].at.After(end); {
		next := heap.Pop(todo).(item)
		w.own.Store(&next.at)
		w.mu.Unlock()
		next.do()
		w.mu.Lock()
	}
	w.own.Store(&end)
}

// untilNext is how far the World's own clock is from what falls due next; 0 where it has
// none, or nothing does. w.mu is held.
func (w *World) untilNext() time.Duration {
	if todo := w.agenda.todo; w.own.Load() != nil && len(todo) > 0 {
		return todo[0].at.Sub(w.now())
	}
	return 0
}
