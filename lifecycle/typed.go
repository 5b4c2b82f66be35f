package lifecycle

import (
	"errors"
	"strings"
	"unicode"
)

// ErrTypedToken: a token that a person brought has white space or a control character
// inside, or there is nothing but such.
var ErrTypedToken = errors.New("a token holds no white space and no control characters")

// TypedToken returns the token that a person brought: typed, pasted or from a file. The
// white space around it, a byte order mark, and quotes around the whole are dropped. What
// a token cannot hold is ErrTypedToken. A token from a webhook never goes through here:
// not a byte of one is changed.
func TypedToken(s string) (Token, error) {
	s = trimTyped(s)
	for _, quote := range []string{`"`, `'`} {
		if inner, ok := strings.CutPrefix(s, quote); ok {
			if inner, ok = strings.CutSuffix(inner, quote); ok {
				s = trimTyped(inner)
				break
			}
		}
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == byteOrderMark }) {
		return Token{}, ErrTypedToken
	}
	return NewToken(s), nil
}

const byteOrderMark = '\ufeff'

func trimTyped(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == byteOrderMark })
}
