package owncall_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/owncall"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestTrials: one call of an operation at a time, and after each 401 a longer pause.
func TestTrials(t *testing.T) {
	var trials owncall.Trials
	now := start.Add(time.Hour)
	try := func(name string, want bool) {
		t.Helper()
		if got := trials.Begin("a", name, true, start, now); got != want {
			t.Fatalf("at %v: %v", now.Sub(start), got)
		}
	}
	try("x", true)
	try("x", false) // under way
	try("y", true)  // on its own
	trials.End("a", "y", 0, true, now)
	try("y", true) // no answer is no 401
	for _, pause := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 2 * time.Hour} {
		trials.End("a", "x", 401, true, now)
		now = now.Add(pause - time.Second)
		try("x", false)
		now = now.Add(time.Second)
		try("x", true)
	}
	trials.End("a", "x", 401, true, now)
	if !trials.Begin("a", "x", true, now.Add(time.Second), now.Add(2*time.Second)) {
		t.Error("news does not end the pause")
	}
	trials.End("a", "x", 200, true, now)
	try("x", true)
	trials.End("a", "x", 401, true, now)
	now = now.Add(time.Minute)
	try("x", true)
}

// TestUnlikely: a token that probably does not work is tried two hours after the news.
func TestUnlikely(t *testing.T) {
	var trials owncall.Trials
	for after, want := range map[time.Duration]bool{0: false, 2*time.Hour - 1: false, 2 * time.Hour: true} {
		if got := trials.Begin(fmt.Sprint(after), "x", false, start, start.Add(after)); got != want {
			t.Errorf("after %v: %v", after, got)
		}
	}
}
