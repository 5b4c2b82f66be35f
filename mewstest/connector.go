package mewstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Connector is a World's Connector API: POST /api/connector/v1/configuration/get, and
// every other operation below /api/connector/v1/, with the same statuses and the bodies
// that [Options].Operations returns. Serve it on a listener, or make it the Transport
// of an http.Client: then every request of the client goes to it, by direct calls.
//
//	200  the token works
//	400  not JSON, or without ClientToken, AccessToken or Client
//	401  a ClientToken or AccessToken that does not work, or a missing permission
//	404  another path
//	405  another method than POST
//	429  more than 200 requests with one token in 30 seconds
//
// It is as strict as Mews documents, and a bit stricter: names must be spelled exactly.
// It is formatted as its World.
type Connector struct {
	world *World
	carry http.RoundTripper

	// Guarded by world.mu.
	clientToken lifecycle.Token
	quota       quota
	broken      Trouble
	troubles    []Trouble
	strangers   int // requests with unknown tokens
}

func newConnector(w *World) *Connector {
	c := &Connector{world: w, clientToken: w.options.ClientToken}
	if c.clientToken.IsZero() {
		r := fate(w.options.Seed, ofClient, 0, 0)
		c.clientToken = lifecycle.NewToken(token(r, guid(r)))
	}
	c.carry = Transport(c)
	return c
}

// RoundTrip answers a client's request, whatever its address.
func (c *Connector) RoundTrip(req *http.Request) (*http.Response, error) {
	return c.carry.RoundTrip(req)
}

// ClientToken returns the partner's own token, which every request must bring.
func (c *Connector) ClientToken() lifecycle.Token {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return c.clientToken
}

// SetClientToken replaces the partner's own token. The former one no longer works.
func (c *Connector) SetClientToken(t lifecycle.Token) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.clientToken = t
}

// Format writes the World's name, whatever the verb.
func (c *Connector) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "the Connector API of "+c.world.String())
}

// reply is the answer to a request.
type reply struct {
	status     int
	retryAfter time.Duration
	body       any
	granted    bool // the operation may be answered
}

// complaint is an error in Mews's form.
type complaint struct {
	Message   string
	RequestID string `json:"RequestId"`
}

func refuse(status int, message string) reply {
	return reply{status: status, body: complaint{Message: message}}
}

// ServeHTTP answers one request.
func (c *Connector) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	what, out := read(req)
	i, lot := c.draw(what)
	wait(req, lot.latency/2)
	if out.status == 0 {
		out = c.judge(i, what, lot.trouble)
	}
	if out.granted {
		out = c.operation(Operation{Name: what.operation, Integration: i, Body: what.body})
	}
	wait(req, lot.latency/2)
	if out.status == 0 {
		c.note(i, what.operation, 0)
		if lot.trouble.Hang {
			wait(req, 5*time.Minute)
		}
		panic(http.ErrAbortHandler)
	}
	if req.Context().Err() == nil {
		c.note(i, what.operation, out.status)
	}
	c.answer(rw, out, lot.id)
}

// wait passes time, for as long as the client waits too.
func wait(req *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-req.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// judge decides on a request by the truth at this moment. The zero reply means that no
// answer is sent.
func (c *Connector) judge(i *Integration, what call, trouble Trouble) reply {
	w := c.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if trouble != (Trouble{}) {
		if trouble.Status == 0 {
			return reply{}
		}
		out := refuse(trouble.Status, http.StatusText(trouble.Status)+".")
		out.retryAfter = trouble.RetryAfter
		return out
	}
	if left := c.quota.take(identify(what.accessToken), w.now()); left > 0 {
		out := refuse(http.StatusTooManyRequests, "Too many requests.")
		if !w.options.NoRetryAfter {
			out.retryAfter = left
		}
		return out
	}
	refusal := "Invalid AccessToken."
	if i != nil {
		refusal = i.accepts(what.accessToken)
	}
	switch {
	case what.clientToken != c.clientToken.Reveal():
		return refuse(http.StatusUnauthorized, "Invalid ClientToken.")
	case refusal != "":
		return refuse(http.StatusUnauthorized, refusal)
	case slices.Contains(i.forbids, "") || slices.Contains(i.forbids, what.operation):
		return refuse(http.StatusUnauthorized, "Insufficient permissions.")
	case what.operation == "configuration/get":
		return i.configuration(what.enterpriseID)
	}
	return reply{granted: true}
}

func (c *Connector) answer(rw http.ResponseWriter, out reply, id string) {
	if bad, ok := out.body.(complaint); ok {
		bad.RequestID = id
		out.body = bad
	}
	header := rw.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	if c.world.own.Load() != nil {
		header.Set("Date", c.world.now().UTC().Format(http.TimeFormat))
	}
	header.Set("Request-Id", id)
	if out.status == http.StatusMethodNotAllowed {
		header.Set("Allow", http.MethodPost)
	}
	if out.retryAfter > 0 {
		seconds := (out.retryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	rw.WriteHeader(out.status)
	_ = json.NewEncoder(rw).Encode(out.body) // the client may have gone
}

// note records how a request was answered.
func (c *Connector) note(i *Integration, operation string, status int) {
	w := c.world
	w.mu.Lock()
	defer w.mu.Unlock()
	e := LogEntry{Kind: Asked, What: operation, Status: status}
	if i != nil {
		e.Integration = i.number
	}
	if status == 0 {
		e.Note = "no answer"
	}
	w.stats.request(status)
	w.note(e)
	w.notifySoon(i)
}
