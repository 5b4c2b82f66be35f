package keyrack

import "sync/atomic"

// bell wakes everyone who waits for news in the journal. Ringing it costs nothing
// where nobody waits.
type bell struct {
	next *atomic.Pointer[chan struct{}] // nil: nobody waits
}

func newBell() bell { return bell{new(atomic.Pointer[chan struct{}])} }

// wait returns a channel that is closed by the next ring. Take it before
// looking for news, so that none is missed between.
func (b bell) wait() <-chan struct{} {
	for {
		if c := b.next.Load(); c != nil {
			return *c
		}
		fresh := make(chan struct{})
		if b.next.CompareAndSwap(nil, &fresh) {
			return fresh
		}
	}
}

func (b bell) ring() {
	if b.next.Load() == nil {
		return
	}
	if c := b.next.Swap(nil); c != nil {
		close(*c)
	}
}
