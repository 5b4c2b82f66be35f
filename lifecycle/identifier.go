package lifecycle

import "strings"

// CanonicalID returns the one spelling of an identifier. An identifier that is a GUID is
// brought to lower case with dashes: capitals, braces, missing dashes and the white space
// around it make no other identifier. Any other string is returned as it is, byte for
// byte. Records, journals and tables know identifiers in this spelling alone, so whatever
// takes an identifier in calls it.
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

// isCanonicalGUID reports whether an identifier is a GUID in lower case with dashes. Every
// delivery asks for three, so it looks at eight bytes at a time.
func isCanonicalGUID(id string) bool {
	if len(id) != guidLen || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return false
	}
	const zeros = '0' * ones // in place of a dash
	digits := lowerHex(eight(id, 0))
	digits &= lowerHex(eight(id, 8)&^0x0000ff00000000ff | zeros&0x0000ff00000000ff)
	digits &= lowerHex(eight(id, 16)&^0xff00000000ff0000 | zeros&0xff00000000ff0000)
	digits &= lowerHex(eight(id, 24))
	digits &= lowerHex(eight(id, guidLen-8))
	return digits == tops
}

const (
	ones = 0x0101010101010101
	tops = 0x80 * ones // the top bit of each byte
)

// eight returns the eight bytes at i, the first one lowest.
func eight(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// lowerHex sets the top bit of each byte that is a hexadecimal digit in lower case. Each
// sum has its top bit set from a certain byte on, and none carries into its neighbour.
func lowerHex(w uint64) uint64 {
	low := w &^ tops
	digit := (low + (0x80-'0')*ones) &^ (low + (0x7f-'9')*ones)
	letter := (low + (0x80-'a')*ones) &^ (low + (0x7f-'f')*ones)
	return (digit | letter) &^ w & tops
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
