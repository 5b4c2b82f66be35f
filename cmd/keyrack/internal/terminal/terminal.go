// Package terminal makes text from a network fit for a person's terminal, and tells
// whether a person is at one.
package terminal

import (
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain replaces what could move the cursor, change colours or hide text: names are
// chosen by hotels. The result is valid UTF-8.
func Plain(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return '\uFFFD'
		}
		return r
	}, s)
}

// Quote quotes an argument in a message, shortened. Use it only for what can hardly be a
// secret.
func Quote(s string) string {
	if runes := []rune(s); len(runes) > 24 {
		s = string(runes[:24]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

// Is reports whether stdin, stdout or stderr is a terminal.
func Is(end any) bool {
	f, ok := end.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
