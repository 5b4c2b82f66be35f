package keyrack

import "sync/atomic"

// bell wakes everyone who waits for news in the journal.
type bell struct {
	next *atomic.Pointer[chan struct{}]
}

func newBell() bell {
	b := bell{next: new(atomic.Pointer[chan struct{}])}
	c := make(chan struct{})
	b.next.Store(&c)
	return b
}

// wait returns a channel that is closed by the next ring. Take it before
// looking for news, so that none is missed between.
func (b bell) wait() <-chan struct{} { return *b.next.Load() }

func (b bell) ring() {
	c := make(chan struct{})
	close(*b.next.Swap(&c))
}
