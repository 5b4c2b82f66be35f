package httpserver

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"
)

// crowd is a listener with a most number of connections, so that a flood of them takes
// neither the files of the process nor its memory. When there are as many, a new one takes
// the place of the one that has been silent for longest: one without a request yet, or
// else one between two. Requests under way are never cut. While there are nothing but those,
// new connections wait with the system.
//
// A client that means it sends a request with the connection, and so is not silent.
type crowd struct {
	net.Listener
	most int

	mu      sync.Mutex
	changed sync.Cond // something left, fell silent, or the listener closed
	closed  bool
	all     map[net.Conn]*member
	silent  [2]list.List // of net.Conn: without a request yet, and between two; oldest first
}

// patience is how long a connection may be silent before it makes room for another.
const patience = 150 * time.Millisecond

// member is what a crowd knows of a connection.
type member struct {
	where *list.List // nil while a request is under way
	place *list.Element
	since time.Time // when it fell silent
}

func newCrowd(l net.Listener, most int) *crowd {
	c := &crowd{Listener: l, most: max(1, most), all: make(map[net.Conn]*member)}
	c.changed.L = &c.mu
	return c
}

// Accept returns the next connection, once there is room for it.
func (c *crowd) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.all) >= c.most && !c.closed {
		if wait := c.evict(time.Now()); wait > 0 {
			again := time.AfterFunc(wait, c.changed.Broadcast)
			c.changed.Wait()
			again.Stop()
		}
	}
	if c.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	m := new(member)
	c.all[conn] = m
	c.rest(m, conn, &c.silent[0])
	return conn, nil
}

// Close closes the listener, and wakes Accept.
func (c *crowd) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.changed.Broadcast()
	return c.Listener.Close()
}

// evict closes the connection that has been silent for longest. If it has not been so for
// long enough, evict returns when to try again: at the latest in patience.
func (c *crowd) evict(now time.Time) (wait time.Duration) {
	wait = patience
	for i := range c.silent {
		oldest := c.silent[i].Front()
		if oldest == nil {
			continue
		}
		conn := oldest.Value.(net.Conn)
		if age := now.Sub(c.all[conn].since); age < patience {
			wait = min(wait, patience-age)
			continue
		}
		c.forget(conn)
		_ = conn.Close() // the server learns of it when it reads
		return 0
	}
	return wait
}

func (c *crowd) rest(m *member, conn net.Conn, where *list.List) {
	if m.where != nil {
		m.where.Remove(m.place)
	}
	m.where, m.place, m.since = where, nil, time.Now()
	if where != nil {
		m.place = where.PushBack(conn)
	}
}

func (c *crowd) forget(conn net.Conn) {
	if m := c.all[conn]; m != nil {
		c.rest(m, conn, nil)
		delete(c.all, conn)
	}
}

// note is http.Server.ConnState.
func (c *crowd) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.all[conn]
	if m == nil {
		return // it was evicted
	}
	switch state {
	case http.StateActive:
		c.rest(m, conn, nil)
	case http.StateIdle:
		c.rest(m, conn, &c.silent[1])
	case http.StateClosed, http.StateHijacked:
		c.forget(conn)
	default:
		return
	}
	c.changed.Signal()
}
