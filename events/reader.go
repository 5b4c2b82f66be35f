package events

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep objects and arrays may be nested, the outermost one
// included. The specification needs 3, General Webhooks need 4.
const maxDepth = 32

// reader walks through one body. Duplicate names and broken UTF-8 are refused
// by jsontext, wherever they are. The first syntax error stays: after it every
// method does nothing, so that a walk checks err once, at its end.
type reader struct {
	dec  jsontext.Decoder
	src  bytes.Buffer // the decoder reads such a buffer in place, without a copy
	body []byte
	err  *Error

	name  []byte // of the member that next went to; valid until the next move
	start int64  // offset of the value that was taken last
}

// readers spares a decoder its stacks and name tables: without it a decode
// allocates four times as often and takes a third longer.
var readers = sync.Pool{New: func() any {
	r := new(reader)
	r.dec.Reset(&r.src)
	return r
}}

func newReader(body []byte) *reader {
	r := readers.Get().(*reader)
	r.body, r.src = body, *bytes.NewBuffer(body)
	return r
}

// release forgets the body and gives the reader back.
func (r *reader) release() {
	r.body, r.src, r.name, r.err = nil, bytes.Buffer{}, nil, nil
	r.dec.Reset(&r.src)
	readers.Put(r)
}

// kind tells what comes next: one of n, f, t, ", 0, {, }, [ and ], or 0 where
// the body is broken.
func (r *reader) kind() jsontext.Kind {
	if r.err != nil {
		return jsontext.KindInvalid
	}
	k := r.dec.PeekKind()
	if k == jsontext.KindInvalid {
		r.read() // finds out why
	}
	return k
}

// read takes one token.
func (r *reader) read() {
	if r.err != nil {
		return
	}
	if _, err := r.dec.ReadToken(); err != nil {
		r.fail(err)
	} else if r.dec.StackDepth() > maxDepth {
		r.err = &Error{placeOf(r.dec.StackPointer()), r.dec.InputOffset() - 1, reasonDeep, ErrSyntax}
	}
}

// scalar takes a value that is neither an object nor an array. The result is
// valid until the next move.
func (r *reader) scalar() jsontext.Value {
	if r.err != nil {
		return nil
	}
	v, err := r.dec.ReadValue()
	if err != nil {
		r.fail(err)
		return nil
	}
	r.start = r.dec.InputOffset() - int64(len(v))
	return v
}

// text takes a string. The result is valid until the next move, and nil only
// where the body is broken.
func (r *reader) text() []byte {
	v := r.scalar()
	if v == nil || bytes.IndexByte(v, '\\') < 0 {
		return bytes.Trim(v, `"`)
	}
	b, _ := jsontext.AppendUnquote(nil, v)
	return b
}

// skip takes a value of any kind.
func (r *reader) skip() {
	if k := r.kind(); k != '{' && k != '[' {
		r.scalar()
		return
	}
	depth := r.dec.StackDepth()
	r.read()
	start := r.dec.InputOffset() - 1
	for r.err == nil && r.dec.StackDepth() > depth {
		r.read()
	}
	r.start = start
}

// next goes to the next member of the object that the walk is in, so that its
// value is what comes next. Where there is none it leaves the object and
// returns false.
func (r *reader) next() bool {
	if r.kind() == '}' {
		r.read()
		return false
	}
	r.name = r.text()
	return r.err == nil
}

// more tells whether the array that the walk is in goes on. Where it does not,
// more leaves the array.
func (r *reader) more() bool {
	if r.kind() == ']' {
		r.read()
		return false
	}
	return r.err == nil
}

// end makes sure that nothing but white space is left.
func (r *reader) end() {
	if r.err != nil {
		return
	}
	offset := r.dec.InputOffset()
	if _, err := r.dec.ReadToken(); err != io.EOF {
		r.err = &Error{"", offset, reasonTrailing, ErrSyntax}
	}
}

// fail translates an error of jsontext's, which quotes the body, into one of
// ours, which does not.
func (r *reader) fail(err error) {
	if err == io.EOF {
		r.err = &Error{"", int64(len(r.body)), reasonEmpty, ErrSyntax}
		return
	}
	r.err = &Error{"", 0, reasonMalformed, ErrSyntax}
	serr, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return
	}
	r.err.Place, r.err.Offset = placeOf(serr.JSONPointer), serr.ByteOffset
	switch {
	case serr.Err == jsontext.ErrDuplicateName:
		r.err.Reason = reasonTwice
	case serr.Err == io.ErrUnexpectedEOF:
		r.err.Reason = reasonCut
	case serr.ByteOffset < int64(len(r.body)):
		if c, n := utf8.DecodeRune(r.body[serr.ByteOffset:]); c == utf8.RuneError && n == 1 {
			r.err.Reason = reasonUTF8
		}
	}
}
