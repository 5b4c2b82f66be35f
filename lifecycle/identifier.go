package lifecycle

import "strings"

// CanonicalID returns the one spelling of an identifier. An identifier that is a GUID is
// brought to lower case with dashes: capitals, braces, missing dashes and the white space
// around it make no other identifier. Any other string is returned as it is, byte for
// byte. Records, journals and tables know identifiers in this spelling alone, so every
// door calls it.
//
// It does not allocate for an identifier that is canonical already.
func CanonicalID(id string) string {
	if isCanonicalGUID(id) {
		return id
	}
	digits, ok := guidDigits(strings.TrimSpace(id))
	if !ok {
		return id
	}
	text := make([]byte, 0, guidLen)
	for i, c := range digits {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			text = append(text, '-')
		}
		if 'A' <= c && c <= 'F' {
			c += 'a' - 'A'
		}
		text = append(text, c)
	}
	return string(text)
}

// guidLen is the length of a GUID with dashes.
const guidLen = 36

// isDash reports whether a GUID has a dash at i.
func isDash(i int) bool { return i == 8 || i == 13 || i == 18 || i == 23 }

func isCanonicalGUID(id string) bool {
	if len(id) != guidLen {
		return false
	}
	for i := range guidLen {
		c := id[i]
		if isDash(i) != (c == '-') || c != '-' && !isHex(c) || 'A' <= c && c <= 'F' {
			return false
		}
	}
	return true
}

// guidDigits returns the 32 hexadecimal digits of a GUID, as they are spelled.
func guidDigits(s string) (digits [32]byte, ok bool) {
	if len(s) > 2 && s[0] == '{' && s[len(s)-1] == '}' {
		s = s[1 : len(s)-1]
	}
	if len(s) != len(digits) && len(s) != guidLen {
		return digits, false
	}
	n := 0
	for i := range len(s) {
		if len(s) == guidLen && isDash(i) {
			if s[i] != '-' {
				return digits, false
			}
			continue
		}
		if !isHex(s[i]) {
			return digits, false
		}
		digits[n] = s[i]
		n++
	}
	return digits, true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
