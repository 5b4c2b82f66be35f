package terminal

import "testing"

// TestPlain: a hotel's name moves no cursor.
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Hôtel 東京":           "Hôtel 東京",
		"\x1b[2J\x1b[31mred": "\uFFFD[2J\uFFFD[31mred",
		"two\nlines\ttabs":   "two\uFFFDlines\uFFFDtabs",
		"\u202eright":        "\uFFFDright",
		"a\xffb":             "a\uFFFDb",
		"\u2028":             "\uFFFD",
	} {
		if got := Plain(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
