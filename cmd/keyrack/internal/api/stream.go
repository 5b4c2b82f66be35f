package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/store"
)

// stream writes events to one reader.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	wants   func(keyrack.Change) bool
	grace   time.Duration // before the headers are sent
	began   bool
	passed  store.Position // everything up to it was sent, or not wanted
	sent    store.Position // the latest id that was sent
	buffer  bytes.Buffer
}

// change is the next entry of the journal, or an error.
type change struct {
	entry keyrack.Change
	err   error
}

// run writes until ctx ends, ending is closed, the journal fails or the reader stops reading.
// When it returns, the goroutine that reads the journal has ended.
func (s *stream) run(ctx context.Context, journal func(context.Context) iter.Seq2[keyrack.Change, error], ending <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	found := make(chan change)
	go func() {
		defer close(found)
		for e, err := range journal(ctx) {
			select {
			case found <- change{e, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range found { // until the goroutine has ended
		}
	}()
	beat := time.NewTimer(s.grace)
	defer beat.Stop()
	for {
		var err error
		select {
		case c, ok := <-found:
			if !ok {
				return
			}
			if c.err != nil {
				s.fail(c.err)
				return
			}
			if !s.wants(c.entry) {
				s.passed = c.entry.Position
				continue
			}
			err = s.event(c.entry)
		case <-beat.C:
			err = s.beat()
			beat.Reset(HeartbeatEvery)
		case <-ending:
			_ = s.write(": going away\n\n")
			return
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// begin sends the headers and the position where the stream begins, so that a reader who
// loses it before the first event reconnects from there. An id without data is not an
// event (HTML, section 9.2.6), but is remembered as the last one.
func (s *stream) begin() {
	if s.began {
		return
	}
	s.began, s.sent = true, s.passed
	s.w.Header().Set("Content-Type", "text/event-stream")
	s.w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back until its buffer is full
	s.w.WriteHeader(http.StatusOK)
	_, _ = fmt.Fprintf(s.w, "id: %d\n\n", s.passed) // the next write fails as well
}

// beat shows that the stream is alive, and the position up to which there was nothing to
// send, from which a reader who reconnects continues.
func (s *stream) beat() error {
	s.begin()
	if s.passed == s.sent {
		return s.write(": still here\n\n")
	}
	s.sent = s.passed
	return s.write(fmt.Sprintf("id: %d\n: still here\n\n", s.passed))
}

func (s *stream) write(text string) error {
	s.buffer.Reset()
	s.buffer.WriteString(text)
	return s.flush()
}

// event writes one entry.
func (s *stream) event(e keyrack.Change) error {
	s.begin()
	s.passed, s.sent = e.Position, e.Position
	s.buffer.Reset()
	fmt.Fprintf(&s.buffer, "id: %d\nevent: change\ndata: ", e.Position)
	if err := json.NewEncoder(&s.buffer).Encode(changeOf(e)); err != nil {
		return err
	}
	s.buffer.WriteByte('\n')
	return s.flush()
}

func (s *stream) flush() error {
	s.begin()
	_ = s.control.SetWriteDeadline(time.Now().Add(eventWithin))
	if _, err := s.w.Write(s.buffer.Bytes()); err != nil {
		return err
	}
	return s.control.Flush()
}

// fail reports an error: with a status if none was sent yet. A 410 is final: what the reader
// missed is no longer in the journal, and the reader has to start again from the list of
// integrations.
func (s *stream) fail(err error) {
	status, code, detail := http.StatusServiceUnavailable, "unavailable", "the store did not answer; reconnect"
	if errors.Is(err, store.ErrTrimmed) {
		status, code = http.StatusGone, "trimmed"
		detail = "the entries after that position are no longer in the journal; read the list of integrations, and stream from now on"
	}
	if !s.began {
		refuse(s.w, status, code, detail)
		return
	}
	s.buffer.Reset()
	s.buffer.WriteString("event: problem\ndata: ")
	_ = json.NewEncoder(&s.buffer).Encode(Problem{http.StatusText(status), status, detail, code})
	s.buffer.WriteByte('\n')
	_ = s.flush()
}
