package mewstest

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/events"
)

// Kind says what a LogEntry tells.
type Kind string

const (
	Changed   Kind = "changed"   // the truth has changed
	Sent      Kind = "sent"      // an attempt began
	Answered  Kind = "answered"  // an attempt ended
	Leaked    Kind = "leaked"    // an attempt was redirected, body and token included
	Lost      Kind = "lost"      // a message will never be sent
	Discarded Kind = "discarded" // a message will not be sent again
	Asked     Kind = "asked"     // a request to the Connector API was answered
)

// LogEntry is one thing that happened. It holds neither tokens nor names, except for
// Body.
type LogEntry struct {
	At          time.Duration // after the World was made
	Kind        Kind
	Integration int           `json:",omitzero"` // its number; 0 for none
	Message     int           `json:",omitzero"` // its number among the integration's
	Sort        string        `json:",omitzero"` // "duplicate", "unknown action", "General Webhook", "forged"
	Attempt     int           `json:",omitzero"`
	What        string        `json:",omitzero"` // the action, the change, or the operation
	Status      int           `json:",omitzero"` // of an answer; 0 for none
	Took        time.Duration `json:",omitzero"`
	Note        string        `json:",omitzero"`
	// Body is the body that was sent and may have reached the receiver, tokens
	// included. It is kept only if Options.KeepBodies is set.
	Body events.Raw `json:"-"`
}

// String returns the entry as a line, without its body.
func (e LogEntry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  ", clock(e.At))
	if e.Integration > 0 {
		fmt.Fprintf(&b, "#%d ", e.Integration)
	}
	fmt.Fprintf(&b, "%s", e.Kind)
	if e.What != "" {
		fmt.Fprintf(&b, " %s", e.What)
	}
	if e.Message > 0 {
		fmt.Fprintf(&b, " (message %d", e.Message)
		if e.Sort != "" {
			fmt.Fprintf(&b, ", %s", e.Sort)
		}
		if e.Attempt > 0 {
			fmt.Fprintf(&b, ", attempt %d", e.Attempt)
		}
		b.WriteByte(')')
	}
	if e.Status != 0 {
		b.WriteString(": " + strconv.Itoa(e.Status))
	}
	if e.Took > 0 {
		fmt.Fprintf(&b, " in %s", e.Took)
	}
	if e.Note != "" {
		b.WriteString(": " + e.Note)
	}
	return b.String()
}

// clock writes a time after the World was made, such as "day 3 04:05:06.789".
func clock(d time.Duration) string {
	const day = 24 * time.Hour
	ms := d % day / time.Millisecond
	return fmt.Sprintf("day %d %02d:%02d:%02d.%03d", d/day, ms/3600000, ms/60000%60, ms/1000%60, ms%1000)
}

// log keeps the latest entries, in a ring once it is full.
type log struct {
	most    int
	entries []LogEntry
	oldest  int
}

func newLog(most int) log {
	if most == 0 {
		most = 1 << 16
	}
	return log{most: max(0, most)}
}

func (l *log) add(e LogEntry) {
	switch {
	case l.most == 0:
	case len(l.entries) < l.most:
		l.entries = append(l.entries, e)
	default:
		l.entries[l.oldest] = e
		l.oldest = (l.oldest + 1) % l.most
	}
}

// note takes something down. w.mu is held.
func (w *World) note(e LogEntry) {
	e.At = w.since(w.began)
	w.log.add(e)
	if w.options.Observe != nil {
		w.options.Observe(e)
	}
}

// Log returns what happened, in order of time; what happened at the same time is in
// order of integrations. Options.LogMost bounds it.
func (w *World) Log() []LogEntry {
	w.mu.Lock()
	entries := slices.Concat(w.log.entries[w.log.oldest:], w.log.entries[:w.log.oldest])
	w.mu.Unlock()
	slices.SortStableFunc(entries, func(a, b LogEntry) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Integration, b.Integration))
	})
	return entries
}

// WriteLog writes the log as lines of text.
func (w *World) WriteLog(to io.Writer) error {
	for _, e := range w.Log() {
		if _, err := fmt.Fprintln(to, e); err != nil {
			return err
		}
	}
	return nil
}
