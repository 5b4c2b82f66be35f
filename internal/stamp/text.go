package stamp

import (
	"encoding/hex"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	opening  = `,"Stamp":"`
	closing  = `"}`
	linkEnd  = len(opening) + 2*len(store.EntryID{})
	codeAt   = linkEnd + 2 // after the space and the digit of the parts
	codeEnd  = codeAt + 2*len(code{})
	length   = codeEnd + len(closing) // of a stamp
	smallest = len(`{"a":0}`)         // an object that has something before the comma
	digits   = "0123456789abcdef"
)

// stampable reports whether something is an object to whose end a stamp can be put.
func stampable(b []byte) bool {
	return len(b) >= smallest && b[0] == '{' && b[len(b)-1] == '}'
}

// put appends a JSON object with a stamp at its end.
func put(b, object []byte, m *mark) []byte {
	b = append(b, object[:len(object)-1]...)
	b = append(b, opening...)
	b = hex.AppendEncode(b, m.link[:])
	b = append(b, ' ', digits[m.parts&0xf])
	b = hex.AppendEncode(b, m.code[:])
	return append(b, closing...)
}

// take takes the stamp off a JSON object. ok is false if there is none, or it is not in the
// very form in which put writes it; then the object comes back as it is.
func take(b []byte) (object []byte, m mark, ok bool) {
	at, m, ok := find(b)
	if !ok {
		return b, m, false
	}
	object = make([]byte, at+1)
	copy(object, b[:at])
	object[at] = '}'
	return object, m, true
}

// find reads the stamp of a JSON object, which begins at a byte of it.
func find(b []byte) (at int, m mark, ok bool) {
	at = len(b) - length
	if at < smallest-1 || string(b[at:at+len(opening)]) != opening || string(b[len(b)-len(closing):]) != closing {
		return 0, m, false
	}
	text := b[at:]
	parts, isDigit := digit(text[linkEnd+1])
	if text[linkEnd] != ' ' || !isDigit ||
		!decode(m.link[:], text[len(opening):linkEnd]) || !decode(m.code[:], text[codeAt:codeEnd]) {
		return 0, mark{}, false
	}
	m.parts = parts
	return at, m, true
}

func decode(into, text []byte) bool {
	for i := range into {
		high, ok := digit(text[2*i])
		low, also := digit(text[2*i+1])
		if !ok || !also {
			return false
		}
		into[i] = byte(high<<4 | low)
	}
	return true
}

// digit reads a hexadecimal digit in lower case, as put writes them.
func digit(c byte) (Parts, bool) {
	switch {
	case '0' <= c && c <= '9':
		return Parts(c - '0'), true
	case 'a' <= c && c <= 'f':
		return Parts(c - 'a' + 10), true
	}
	return 0, false
}

// Strip returns a record, a base or a decision without its stamp, unchecked.
func Strip(stored []byte) []byte {
	plain, _, _ := take(stored)
	return plain
}

// Has reports whether a record, a base or a decision has a stamp, unchecked.
func Has(stored []byte) bool {
	_, _, ok := find(stored)
	return ok
}
