package main

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRace has ways that take a known time, none of it real.
func TestRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := func(name string, d, before time.Duration) way {
			w := way{name: name, batch: func() error { time.Sleep(d); return nil }}
			if before > 0 {
				w.before = func() error { time.Sleep(before); return nil }
			}
			return w
		}
		rows, err := race(time.Second, 2, []way{
			takes("floor", 10*time.Millisecond, 0), takes("double", 20*time.Millisecond, 0), takes("prepared", 5*time.Millisecond, time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		got := table{title: "Some", rows: rows}
		for name, want := range map[string]float64{"floor": 1, "double": 2, "prepared": .5, "nobody": 0} {
			if r := got.row(name); r.median != want || r.least != want {
				t.Errorf("%s takes %v of the floor, at least %v, want %v", name, r.median, r.least, want)
			}
		}
		var text strings.Builder
		got.print(&text)
		if !strings.Contains(text.String(), "### Some") || !strings.Contains(text.String(), "| double   | 2") || !strings.Contains(text.String(), "The floor: 5ms each.") {
			t.Errorf("printed:\n%s", &text)
		}
	})
}

// TestRaceStopsAtAWrongAnswer: a fast wrong answer is not measured.
func TestRaceStopsAtAWrongAnswer(t *testing.T) {
	wrong := errors.New("a wrong answer")
	right := way{name: "right", batch: func() error { return nil }}
	for name, w := range map[string]way{
		"batch":  {name: "wrong", batch: func() error { return wrong }},
		"before": {name: "wrong", before: func() error { return wrong }, batch: func() error { return nil }},
	} {
		if _, err := race(time.Hour, 1, []way{right, w}); !errors.Is(err, wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
