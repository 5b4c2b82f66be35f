// Package deadline gives work a context that ends in time, and that costs next to nothing
// where nobody waits for its end: the timer is made when somebody does.
//
// A delivery to a store in memory asks only whether the time is up. A store with a
// database behind it waits, and gets what context.WithTimeout would have given it.
package deadline

import (
	"context"
	"sync"
	"time"
)

// Context is a context with a deadline. Make one with After, and Stop it when the work is
// done. It is safe for concurrent use, as every context is.
type Context struct {
	parent context.Context
	at     time.Time

	mu      sync.Mutex
	stopped bool
	real    context.Context // once somebody waits
	cancel  context.CancelFunc
}

var _ context.Context = (*Context)(nil)

// After returns a context that ends with its parent, after so long, or when it is stopped.
func After(parent context.Context, d time.Duration) *Context {
	at := time.Now().Add(d)
	if sooner, ok := parent.Deadline(); ok && sooner.Before(at) {
		at = sooner
	}
	return &Context{parent: parent, at: at}
}

// Stop ends the context. It may be called more than once.
func (c *Context) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.cancel != nil {
		c.cancel()
	}
}

// made returns the context that somebody waits for, nil if nobody does.
func (c *Context) made() (real context.Context, stopped bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.real, c.stopped
}

// make makes the context that somebody waits for.
func (c *Context) make() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.real != nil:
	case c.stopped:
		c.real, c.cancel = context.WithCancel(context.WithoutCancel(c.parent))
		c.cancel()
	default:
		c.real, c.cancel = context.WithDeadline(c.parent, c.at)
	}
	return c.real
}

// Deadline returns when the context ends at the latest.
func (c *Context) Deadline() (time.Time, bool) { return c.at, true }

// Done returns a channel that is closed when the context ends.
func (c *Context) Done() <-chan struct{} { return c.make().Done() }

// Err returns nil until the context has ended.
func (c *Context) Err() error {
	if real, stopped := c.made(); real != nil || stopped || !time.Now().Before(c.at) {
		return c.make().Err()
	}
	return c.parent.Err()
}

// Value returns the parent's value.
func (c *Context) Value(key any) any {
	if real, _ := c.made(); real != nil {
		return real.Value(key) // so that contexts made of this one end with it, without a goroutine
	}
	return c.parent.Value(key)
}
