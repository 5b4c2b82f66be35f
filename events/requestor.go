package events

import (
	"fmt"
	"io"
	"log/slog"
)

// Requestor is the person at the hotel who asked for what happened. Name and
// email address are personal data, so they are held as a [lifecycle.Token] is:
// fmt and slog show a placeholder, marshallers get [ErrPrivate], and reflection
// does not find them.
//
// The zero value is nobody: Mews sends null more often than not. A Requestor is
// immutable and safe for concurrent use.
type Requestor struct {
	private
	reveal func() (name, email string)
}

// NewRequestor wraps a name and an email address, either of which may be
// missing. Without both it gives the zero Requestor.
func NewRequestor(name, email string) Requestor {
	if name == "" && email == "" {
		return Requestor{}
	}
	return Requestor{reveal: func() (string, string) { return name, email }}
}

// Name returns the person's name in clear, or "".
func (r Requestor) Name() string {
	name, _ := r.both()
	return name
}

// Email returns the person's email address in clear, or "".
func (r Requestor) Email() string {
	_, email := r.both()
	return email
}

func (r Requestor) both() (name, email string) {
	if r.reveal == nil {
		return "", ""
	}
	return r.reveal()
}

// IsZero reports whether there is nobody.
func (r Requestor) IsZero() bool { return r.reveal == nil }

// Equal reports whether both names and both email addresses are the same.
func (r Requestor) Equal(s Requestor) bool {
	name, email := r.both()
	otherName, otherEmail := s.both()
	return name == otherName && email == otherEmail
}

// String returns a placeholder, or "" for the zero value.
func (r Requestor) String() string {
	if r.IsZero() {
		return ""
	}
	return "[requestor]"
}

// Format writes what String returns, whatever the verb.
func (r Requestor) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// LogValue returns what String returns.
func (r Requestor) LogValue() slog.Value { return slog.StringValue(r.String()) }
