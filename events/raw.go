package events

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
)

// Raw is the body of a webhook whose action is not known. Nobody knows what is
// in there, so it is held as a [Requestor] is.
//
// The zero value is no body. A Raw is immutable and safe for concurrent use.
type Raw struct {
	private
	reveal func() []byte
}

// NewRaw wraps a copy of a body. An empty one gives the zero Raw.
func NewRaw(body []byte) Raw {
	if len(body) == 0 {
		return Raw{}
	}
	b := bytes.Clone(body)
	return Raw{reveal: func() []byte { return b }}
}

// Append appends the body, byte for byte as it came.
func (r Raw) Append(dst []byte) []byte {
	if r.reveal == nil {
		return dst
	}
	return append(dst, r.reveal()...)
}

// Bytes returns a copy of the body, or nil.
func (r Raw) Bytes() []byte { return r.Append(nil) }

// IsZero reports whether there is no body.
func (r Raw) IsZero() bool { return r.reveal == nil }

// Equal reports whether both bodies are the same, byte for byte.
func (r Raw) Equal(s Raw) bool {
	if r.IsZero() || s.IsZero() {
		return r.IsZero() == s.IsZero()
	}
	return bytes.Equal(r.reveal(), s.reveal())
}

// String returns a placeholder, or "" for the zero value.
func (r Raw) String() string {
	if r.IsZero() {
		return ""
	}
	return "[body]"
}

// Format writes what String returns, whatever the verb.
func (r Raw) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// LogValue returns what String returns.
func (r Raw) LogValue() slog.Value { return slog.StringValue(r.String()) }
