// Package notifier tells everyone who waits that there is news, but not which: it
// stands between those who write to the journal and those who follow it.
package notifier

import "sync/atomic"

// Notifier wakes its waiters. The zero value has none. Notifying costs nothing where
// nobody waits. It is safe for concurrent use.
type Notifier struct {
	next atomic.Pointer[chan struct{}] // nil: nobody waits
}

// Wait returns a channel that the next Notify closes. Take it before looking for
// news, so that none is missed in between.
func (n *Notifier) Wait() <-chan struct{} {
	for {
		if c := n.next.Load(); c != nil {
			return *c
		}
		fresh := make(chan struct{})
		if n.next.CompareAndSwap(nil, &fresh) {
			return fresh
		}
	}
}

// Notify wakes all who wait.
func (n *Notifier) Notify() {
	if n.next.Load() == nil {
		return
	}
	if c := n.next.Swap(nil); c != nil {
		close(*c)
	}
}
