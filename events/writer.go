package events

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// writer appends JSON to buf. The first fault stays; what stands in buf after
// it means nothing. A place is given as the object that a member is in and the
// member's name, so that only a fault joins them.
type writer struct {
	buf []byte
	err *Error
}

func (w *writer) fail(place jsontext.Pointer, kind error, reason string) {
	if w.err == nil {
		w.err = &Error{Place: placeOf(place), Reason: reason, kind: kind}
	}
}

func (w *writer) open()  { w.buf = append(w.buf, '{') }
func (w *writer) close() { w.buf = append(w.buf, '}') }
func (w *writer) null()  { w.buf = append(w.buf, "null"...) }

// member starts a member of the object that was opened last.
func (w *writer) member(name string) {
	if w.buf[len(w.buf)-1] != '{' {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, `":`...)
}

// text writes a string of at most limit bytes, where that is not 0, or null
// for "".
func (w *writer) text(in, name, s string, limit int) {
	w.member(name)
	if s == "" {
		w.null()
		return
	}
	if limit > 0 && len(s) > limit {
		w.fail(jsontext.Pointer(in+"/"+name), ErrShape, reasonTooLong)
	}
	var err error
	if w.buf, err = jsontext.AppendQuote(w.buf, s); err != nil {
		w.fail(jsontext.Pointer(in+"/"+name), ErrSyntax, reasonUTF8)
	}
}

func (w *writer) identifier(in, s string) {
	w.text(in, "Id", s, maxIdentifier)
	if hasControl([]byte(s)) {
		w.fail(jsontext.Pointer(in+"/Id"), ErrShape, reasonControl)
	}
}

// time writes a time in UTC, to the nanosecond, or null for the zero time.
func (w *writer) time(in, name string, t time.Time) {
	w.member(name)
	if t.IsZero() {
		w.null()
		return
	}
	if t = t.UTC(); !inYears(t) {
		w.fail(jsontext.Pointer(in+"/"+name), ErrShape, reasonNotTime)
	}
	w.buf = append(w.buf, '"')
	w.buf = t.AppendFormat(w.buf, time.RFC3339Nano)
	w.buf = append(w.buf, '"')
}

func (w *writer) flag(name string, f lifecycle.Flag) {
	w.member(name)
	if f == lifecycle.Unset {
		w.null()
		return
	}
	w.buf = strconv.AppendBool(w.buf, f == lifecycle.Yes)
}
