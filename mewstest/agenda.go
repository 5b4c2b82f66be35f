package mewstest

import (
	"container/heap"
	"time"
)

// agenda is what is still to come. It hangs on one timer, and runs one thing
// after the other, in order of time, so that the same agenda always comes to pass
// in the same order.
type agenda struct {
	todo  todo
	order uint64
	timer *time.Timer
	busy  bool // a pump is running
}

type item struct {
	at    time.Time
	order uint64
	do    func()
}

// todo is a heap.
type todo []item

func (t todo) Len() int      { return len(t) }
func (t todo) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *todo) Push(x any)   { *t = append(*t, x.(item)) }

func (t todo) Less(i, j int) bool {
	if !t[i].at.Equal(t[j].at) {
		return t[i].at.Before(t[j].at)
	}
	return t[i].order < t[j].order
}

func (t *todo) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = item{}
	*t = old[:len(old)-1]
	return last
}

// after plans something, to be done without w.mu, which is held here. It is never
// done at the very instant at which it was planned: so under testing/synctest the
// planner goes on first, until it waits for something. With a clock of its own the
// World does it in Advance.
func (w *World) after(d time.Duration, do func()) {
	a := &w.agenda
	a.order++
	at := w.now().Add(max(d, 1))
	heap.Push(&a.todo, item{at, a.order, do})
	if !a.busy && a.todo[0].order == a.order && w.own.Load() == nil {
		w.arm()
	}
}

// arm sets the timer to what comes first. w.mu is held.
func (w *World) arm() {
	a := &w.agenda
	if len(a.todo) == 0 {
		return
	}
	d := time.Until(a.todo[0].at)
	if a.timer == nil {
		a.timer = time.AfterFunc(d, w.pump)
	} else {
		a.timer.Reset(d)
	}
}

// pump does all that is due.
func (w *World) pump() {
	a := &w.agenda
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.busy {
		return
	}
	a.busy = true
	for len(a.todo) > 0 && !a.todo[0].at.After(time.Now()) {
		next := heap.Pop(&a.todo).(item)
		w.mu.Unlock()
		next.do()
		w.mu.Lock()
	}
	a.busy = false
	w.arm()
}

// aside runs something that may take time, such as a receiver's answer, and
// returns when it is done or when time passes, whichever comes first. Under
// testing/synctest, where time passes only when everyone waits, whatever takes no
// time is therefore done one after the other. With a clock of its own the World always
// waits.
func (w *World) aside(do func()) {
	if w.own.Load() != nil {
		do()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	timer := time.NewTimer(1)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
