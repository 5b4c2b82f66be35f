package typed_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/keyrack-dev/keyrack/internal/typed"
)

// TestName: a name that people choose stays, and one that somebody made long is cut at a
// character.
func TestName(t *testing.T) {
	for _, name := range []string{"", "Alpenrose", strings.Repeat("x", 256), strings.Repeat("ä", 128)} {
		if got := typed.Name(name); got != name {
			t.Errorf("%.20q became %.20q", name, got)
		}
	}
	for _, name := range []string{strings.Repeat("x", 257), strings.Repeat("ä", 129), strings.Repeat("語", 50_000), "x" + strings.Repeat("\U0001F3E8", 64)} {
		got := typed.Name(name)
		if len(got) > 256 || len(got) < 250 || !utf8.ValidString(got) || !strings.HasSuffix(got, "\u2026") || !strings.HasPrefix(name, strings.TrimSuffix(got, "\u2026")) {
			t.Errorf("%.20q: %d bytes, %q", name, len(got), got)
		}
	}
}
