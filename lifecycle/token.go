package lifecycle

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// errSecret is the error of every marshaller of a Token. A token leaves the process
// only through [Token.Reveal].
var errSecret = errors.New("lifecycle: a token is not marshalled; call Reveal where it is really needed")

// Token is an access token that cannot be printed, logged or marshalled by accident:
// fmt, slog and panics show a placeholder, encoders return an error, and the value is
// behind a function, where reflection does not find it. Mews documents tokens as opaque
// random characters, so a Token is never parsed or normalised.
//
// The zero value is no token. A Token is immutable and safe for concurrent use. Compare
// tokens with [Token.Equal]; == does not compile.
type Token struct {
	reveal func() string
}

// NewToken wraps a token. The empty string gives the zero Token.
func NewToken(s string) Token {
	if s == "" {
		return Token{}
	}
	return Token{reveal: func() string { return s }}
}

// Reveal returns the token in clear, or "" for the zero value. The caller is
// responsible for where the string goes.
func (t Token) Reveal() string {
	if t.reveal == nil {
		return ""
	}
	return t.reveal()
}

// IsZero reports whether t is the zero Token.
func (t Token) IsZero() bool { return t.reveal == nil }

// Equal compares two tokens in time that depends on their lengths alone.
func (t Token) Equal(u Token) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(u.Reveal())) == 1
}

// shown is a placeholder, or "" for the zero value.
func (t Token) shown() string {
	if t.IsZero() {
		return ""
	}
	return "[token]"
}

// Format writes a placeholder, whatever the verb, or nothing for the zero value.
func (t Token) Format(f fmt.State, verb rune) { _, _ = io.WriteString(f, t.shown()) }

// LogValue returns what Format writes.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.shown()) }

// MarshalText returns an error.
func (t Token) MarshalText() ([]byte, error) { return nil, errSecret }
