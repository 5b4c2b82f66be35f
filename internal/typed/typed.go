// Package typed takes what a person typed, pasted or brought in a file, and drops what
// clings to it: white space around an identifier, and around a token also a byte order mark
// and quotes. What comes from Mews never goes through here.
package typed

import (
	"errors"
	"strings"
	"unicode"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// ID returns an identifier in its one spelling. The white space around it is dropped even
// if it is not a GUID.
func ID(id string) string { return lifecycle.CanonicalID(strings.TrimSpace(id)) }

// ErrToken: a token has white space or a control character
// inside, or there is nothing but such.
var ErrToken = errors.New("a token holds no white space and no control characters")

// Token returns a token without the white space, the byte order mark and the quotes around
// it. What no token can hold is ErrToken.
func Token(s string) (lifecycle.Token, error) {
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
		return lifecycle.Token{}, ErrToken
	}
	return lifecycle.NewToken(s), nil
}

const byteOrderMark = '\ufeff'

func trimTyped(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == byteOrderMark })
}

// operationLimit is the longest name of an operation, in bytes.
const operationLimit = 100

// Operation returns the name of an operation of the Connector API, such as
// "reservations/getAll/2023-06-06", of the path of a request. What all paths of the API
// begin with, and a query, are dropped. It returns "" for "", and false for what is no
// such path.
func Operation(path string) (name string, ok bool) {
	name, _, _ = strings.Cut(path, "?")
	name = strings.TrimPrefix(name, "/")
	name = strings.TrimPrefix(name, "api/connector/")
	name = strings.Trim(strings.TrimPrefix(name, "v1/"), "/")
	if len(name) > operationLimit || strings.ContainsFunc(name, foreign) {
		return "", false
	}
	return name, true
}

// foreign reports whether no path of the Connector API has a character.
func foreign(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune("/-_.", r)
}
