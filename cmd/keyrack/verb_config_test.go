package main

import (
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"sqlite:keyrack.db":               "sqlite:keyrack.db",
		"http://127.0.0.1:8081":           "http://127.0.0.1:8081",
		"postgres://u:canary@h/d":         "postgres://h/d (the rest is hidden)",
		"postgres://h/d?password=canary":  "postgres://h/d (the rest is hidden)",
		"postgres://u:can%ary@h/d":        "(hidden: not a URL)",
		"http://127.0.0.1/hooks#canary":   "http://127.0.0.1/hooks (the rest is hidden)",
		"https://canary@h/?x=y&token=can": "https://h/ (the rest is hidden)",
	} {
		if got := shown(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// TestWhatIfRows: a row for each change, the longest first, and one for an integration whose
// journal was trimmed though nothing changed.
func TestWhatIfRows(t *testing.T) {
	since := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	const v, u, i = lifecycle.Valid, lifecycle.Unknown, lifecycle.Invalid
	differences := []atrest.Difference{
		{Integration: lifecycle.Named{ID: "a"}, Enterprise: lifecycle.Named{ID: "1", Name: "Hotel \x1b[31m"}, Since: since, Changed: map[atrest.Change]time.Duration{{Was: v, Would: u}: 90 * time.Second, {Was: i, Would: v}: time.Hour}},
		{Integration: lifecycle.Named{ID: "b"}, Enterprise: lifecycle.Named{ID: "2"}, Since: since, Trimmed: true},
		{Integration: lifecycle.Named{ID: "c"}, Since: since},
		{Integration: lifecycle.Named{ID: "d"}, Enterprise: lifecycle.Named{ID: "2"}, Since: since, Trimmed: true, Changed: map[atrest.Change]time.Duration{{Was: u, Would: v}: time.Minute}},
	}
	var all []difference
	for _, d := range differences {
		all = append(all, differenceOf(&d))
	}
	var b strings.Builder
	w := whatIf{output: output{format: formatText, w: &b, columns: -1}}
	if err := w.tell(all); err != nil {
		t.Fatal(err)
	}
	want := `a	Hotel �[31m	2026-05-01T10:00:00Z	invalid	valid	60.0
a	Hotel �[31m	2026-05-01T10:00:00Z	valid	unknown	1.5
b	2	2026-05-01T10:00:00Z (trimmed)			0
d	2	2026-05-01T10:00:00Z (trimmed)	unknown	valid	1.0
`
	if got := b.String(); got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
}
