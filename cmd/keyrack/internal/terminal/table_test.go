package terminal

import (
	"strings"
	"testing"
)

// TestTable: wide letters are counted, marks are not, and rows are cut to the terminal.
func TestTable(t *testing.T) {
	var tb Table
	tb.Titles("ID", "STATUS", "NAMES")
	tb.Row("9e5e84e9", "\x1b[32mvalid\x1b[0m", "Hotel Grand Bellevue")
	tb.Row("東京", "unknown", "ホテル東京ステーション")
	tb.Row("e\u0301", "x", "")
	for _, c := range []struct {
		columns int
		want    string
	}{
		{0, "ID        STATUS   NAMES\n" +
			"9e5e84e9  \x1b[32mvalid\x1b[0m    Hotel Grand Bellevue\n" +
			"東京      unknown  ホテル東京ステーション\n" +
			"e\u0301         x\n"},
		{34, "ID        STATUS   NAMES\n" +
			"9e5e84e9  \x1b[32mvalid\x1b[0m    Hotel Grand Be…\n" +
			"東京      unknown  ホテル東京ステ…\n" +
			"e\u0301         x\n"},
		{10, "ID        STATUS   NAMES\n" + // no narrower than that
			"9e5e84e9  \x1b[32mvalid\x1b[0m    Hotel G…\n" +
			"東京      unknown  ホテル…\n" +
			"e\u0301         x\n"},
		{-1, "9e5e84e9\t\x1b[32mvalid\x1b[0m\tHotel Grand Bellevue\n" +
			"東京\tunknown\tホテル東京ステーション\n" +
			"e\u0301\tx\t\n"},
	} {
		var b strings.Builder
		if err := tb.Write(&b, c.columns); err != nil || b.String() != c.want {
			t.Errorf("%d columns: %v, got\n%s\nwant\n%s", c.columns, err, &b, c.want)
		}
		for line := range strings.Lines(b.String()) {
			if c.columns > 30 && Width(strings.TrimSuffix(line, "\n")) > c.columns {
				t.Errorf("%q is wider than %d", line, c.columns)
			}
		}
	}
	var pairs Table // names and values are never cut
	pairs.Row("name", "a value that is wide")
	for _, columns := range []int{-1, 0, 10} {
		var b strings.Builder
		if err := pairs.Write(&b, columns); err != nil || b.String() != "name  a value that is wide\n" {
			t.Errorf("%d columns: %q, %v", columns, &b, err)
		}
	}
}

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "Hotel": 5, "Élysée": 6, "E\u0301lyse\u0301e": 6, "東京": 4, "ｱ": 1, "Ａ": 2, "한국": 4, "🏨": 2, "❤\ufe0f": 1,
		"\x1b[31minvalid\x1b[0m": 7, "Ωmega": 5, "…": 1, "𠀀": 2, "ไทย": 3, "กำ": 2,
	} {
		if got := Width(text); got != want {
			t.Errorf("Width(%q) = %d, want %d", text, got, want)
		}
	}
}
