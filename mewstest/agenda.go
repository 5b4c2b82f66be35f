package mewstest

import (
	"container/heap"
	"time"
)

// agenda is what is still to happen. It has one timer and runs its tasks one after the
// other, in order of time, so that the same agenda always runs in the same order.
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

// after plans a task, which runs without w.mu; w.mu is held here. A task never runs at
// the very instant at which it was planned, so under testing/synctest the planner
// continues first, until it blocks. If the World has a clock of its own, Advance runs
// the task.
func (w *World) after(d time.Duration, do func()) {
	a := &w.agenda
	a.order++
	at := w.now().Add(max(d, 1))
	heap.Push(&a.todo, item{at, a.order, do})
	if !a.busy && a.todo[0].order == a.order && w.own.Load() == nil {
		w.arm()
	}
}

// arm sets the timer to the next task. w.mu is held.
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

// pump runs every task that is due.
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

// aside runs something that may take time, such as a receiver's answer, and returns
// when it is done or when time passes, whichever comes first. Under testing/synctest
// time passes only when every goroutine is blocked, so whatever takes no time runs one
// after the other. If the World has a clock of its own it always waits.
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
