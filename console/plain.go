package console

import (
	"strings"
	"unicode"
)

// The longest texts from outside that a page shows, in runes.
const (
	inList = 80  // in a table or a title
	inFull = 400 // where the text is what the page is about
)

// maxMarks is how many combining marks may follow one another. Vietnamese, Thai and Hebrew
// need no more; a stack of them would cover the lines above and below.
const maxMarks = 3

// plain returns a text that came from outside in a form that is fit for a page, at most
// limit runes of it: on one line, without control characters and marks that change the
// direction of what follows, and without towers of combining marks. What is left out in the
// middle shows as U+FFFD, what is cut off as an ellipsis.
func plain(text string, limit int) string {
	if harmless(text, limit) {
		return text
	}
	var b strings.Builder
	n, marks := 0, 0
	for _, c := range text {
		switch {
		case unicode.Is(unicode.Mn, c) || unicode.Is(unicode.Me, c):
			if marks++; marks > maxMarks || n == 0 {
				continue
			}
		case c == '\t' || c == '\n' || c == '\r' || unicode.Is(unicode.Zs, c):
			c, marks = ' ', 0
		case unicode.IsControl(c) || unicode.Is(unicode.Zl, c) || unicode.Is(unicode.Zp, c) || unicode.Is(unicode.Co, c) || turns(c) || !valid(c):
			c, marks = unicode.ReplacementChar, 0
		default:
			marks = 0
		}
		if n == limit {
			return strings.TrimSpace(b.String()) + "…"
		}
		b.WriteRune(c)
		n++
	}
	if shown := strings.TrimSpace(b.String()); shown != "" {
		return shown
	}
	if text != "" {
		return string(unicode.ReplacementChar) // there is a text, though nobody can see it
	}
	return ""
}

// harmless reports whether a text is short and of printable ASCII, as nearly all are.
func harmless(text string, limit int) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return len(text) <= limit && text == strings.TrimSpace(text)
}

// turns reports whether a character changes the direction of text, or is invisible.
func turns(c rune) bool {
	switch {
	case c >= '\u202a' && c <= '\u202e', c >= '\u2066' && c <= '\u2069', c >= '\u2060' && c <= '\u2064':
		return true
	case c == '\u200e', c == '\u200f', c == '\u061c', c == '\u200b', c == '\ufeff', c == '\u00ad', c == '\u115f', c == '\u1160', c == '\u3164', c == '\uffa0':
		return true
	}
	return c >= '\U000e0000' && c <= '\U000e007f' || c >= '\ufff9' && c <= '\ufffb'
}

// valid reports whether a character may stand in a document.
func valid(c rune) bool { return c&0xfffe != 0xfffe && (c < 0xfdd0 || c > 0xfdef) }
