package mewstest

import (
	"container/heap"
	"time"
)

// now is the time on the World's clock, which is that of package time unless
// Options.Start gave the World one of its own.
func (w *World) now() time.Time {
	if own := w.own.Load(); own != nil {
		return *own
	}
	return time.Now()
}

func (w *World) since(t time.Time) time.Duration { return w.now().Sub(t) }

// Now returns the time on the World's clock.
func (w *World) Now() time.Time { return w.now() }

// Advance moves the World's own clock by d, and runs in order whatever falls due: every
// webhook is sent at the time for which it was planned, and Advance waits for its
// answer. Advance does nothing if d ≤ 0, or if the World uses package time's clock: see
// [Options].Start. Concurrent calls run one after the other.
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

// untilNext is the time on the World's own clock until the next task. It is 0 if the
// World has no clock of its own, or nothing is planned. w.mu is held.
func (w *World) untilNext() time.Duration {
	if todo := w.agenda.todo; w.own.Load() != nil && len(todo) > 0 {
		return todo[0].at.Sub(w.now())
	}
	return 0
}
