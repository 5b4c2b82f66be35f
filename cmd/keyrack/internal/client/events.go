package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
)

// eventLimit is the longest line of a stream that is read, in bytes.
const eventLimit = 1 << 20

// silence is how long a stream may be silent before it counts as dead: three heartbeats.
const silence = 3 * api.HeartbeatEvery

// Tail reads one stream of changes to its end, which is an error: the changes after an
// id, or from now on if after is empty, of these kinds, or of all if there are none. It
// calls connected when the stream begins and take for each event. An error of take ends
// the stream and is returned.
func (c *Client) Tail(ctx context.Context, after string, kinds []string, connected func(), take func(Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(Timeout, cancel)
	defer watchdog.Stop()
	q := request{
		method: http.MethodGet, path: []string{"v1", "changes"}, query: url.Values{},
		header: map[string]string{"Accept": "text/event-stream"},
	}
	if len(kinds) > 0 {
		q.query.Set("kind", strings.Join(kinds, ","))
	}
	if after != "" {
		q.header["Last-Event-ID"] = after
	}
	resp, err := c.ask(ctx, q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	connected()
	return readEvents(resp.Body, func() { watchdog.Reset(silence) }, func(e Event) error {
		if e.Name != "problem" {
			return take(e)
		}
		p, err := Decode[api.Problem](e.Data)
		if err != nil {
			return err
		}
		return &Error{c.who, p.Status, terminal.Plain(p.Code), terminal.Plain(p.Detail)}
	})
}

// Event is one server-sent event.
type Event struct {
	ID   string // of the latest event that had one
	Name string
	Data []byte
}

// readEvents reads server-sent events, as far as a JSON API needs them, until the stream
// ends or take returns an error. It calls alive for every line, heartbeats included.
func readEvents(stream io.Reader, alive func(), take func(Event) error) error {
	scanner := bufio.NewScanner(stream)
	scanner.Buffer(nil, eventLimit)
	var e Event
	for scanner.Scan() {
		alive()
		line := scanner.Bytes()
		if len(line) == 0 {
			if e.Data != nil || e.ID != "" {
				if err := take(e); err != nil {
					return err
				}
			}
			e = Event{ID: e.ID}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			e.ID = string(value)
		case "event":
			e.Name = string(value)
		case "data":
			if e.Data != nil {
				e.Data = append(e.Data, '\n')
			}
			e.Data = append(e.Data, value...)
		}
	}
	if err := scanner.Err(); err != nil {
		return errors.New("the stream broke off")
	}
	return errors.New("the stream ended")
}
