package mewstest

import "time"

// Trouble is an answer of the Connector API that says nothing about the token: a
// status, or no answer. The zero Trouble is no trouble.
type Trouble struct {
	// Status is answered: 408, 429, 5xx, or 401 for everyone.
	Status int
	// RetryAfter is sent as a header, in whole seconds rounded up. 0 means that it is
	// not sent.
	RetryAfter time.Duration
	// Hang: no answer comes until the client gives up, or after 5 minutes.
	Hang bool
	// Break: the connection breaks off without an answer.
	Break bool
}

// Chance is a Trouble that befalls a request with a probability. With P 1 and During it
// is an outage of the Connector API, or a ClientToken that is refused for a time; with
// Status 401 and a lower P, nodes that refuse whatever token they are asked about.
type Chance struct {
	P float64
	Trouble
	// During is when it may befall one; nil: always.
	During []Window
}

// open reports whether the chance exists that long after the World was made.
func (c *Chance) open(since time.Duration) bool {
	return c.During == nil || longest(c.During, since) > 0
}

// Fail makes troubles happen to the next requests, one each, in this order.
func (c *Connector) Fail(troubles ...Trouble) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.troubles = append(c.troubles, troubles...)
}

// Break makes a trouble happen to every request from now on, until Mend. A 401 for
// everyone is Break(Trouble{Status: 401}).
func (c *Connector) Break(t Trouble) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.broken = t
}

// Mend ends what Break began.
func (c *Connector) Mend() { c.Break(Trouble{}) }

// SetLatency replaces Options.Latency for the requests from now on. It passes in real time,
// also where the World has a clock of its own.
func (c *Connector) SetLatency(s Spread) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.world.options.Latency = s
}

// FailRequests makes troubles happen to the next requests with a token of this
// integration, one each, in this order.
func (i *Integration) FailRequests(troubles ...Trouble) {
	i.world.mu.Lock()
	defer i.world.mu.Unlock()
	i.troubles = append(i.troubles, troubles...)
}

// Forbid removes the permission for operations such as "reservations/getAll", or for
// all operations if none is given. The Connector API answers them with 401 although the
// token works.
func (i *Integration) Forbid(operations ...string) {
	i.world.mu.Lock()
	defer i.world.mu.Unlock()
	if len(operations) == 0 {
		operations = []string{""}
	}
	i.forbids = append(i.forbids, operations...)
}

// Permit ends what Forbid began.
func (i *Integration) Permit() {
	i.world.mu.Lock()
	defer i.world.mu.Unlock()
	i.forbids = nil
}

// lot is what chance holds for one request.
type lot struct {
	id      string
	latency time.Duration
	trouble Trouble
}

// draw draws the lot of a request, and returns the integration that the request is
// about, or nil.
func (c *Connector) draw(what call) (*Integration, lot) {
	w := c.world
	w.mu.Lock()
	defer w.mu.Unlock()
	n, asked := 0, &c.strangers
	i := w.keys[identify(what.accessToken)]
	if i != nil {
		n, asked = i.number, &i.asked
	}
	*asked++
	r := fate(w.options.Seed, ofRequest, n, *asked)
	l := lot{id: guid(r), latency: w.options.Latency.draw(r)}
	at := r.Float64()
	since := w.since(w.began)
	for n := range w.options.Troubles {
		one := &w.options.Troubles[n]
		if !one.open(since) {
			continue
		}
		if at -= one.P; at < 0 {
			l.trouble = one.Trouble
			break
		}
	}
	switch {
	case c.broken != Trouble{}:
		l.trouble = c.broken
	case len(c.troubles) > 0:
		l.trouble, c.troubles = c.troubles[0], c.troubles[1:]
	case i != nil && len(i.troubles) > 0:
		l.trouble, i.troubles = i.troubles[0], i.troubles[1:]
	}
	return i, l
}
