package main

import (
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// TestRefusalLog: the first refusal of each kind is logged at once, and those
// that follow are counted until the next line.
func TestRefusalLog(t *testing.T) {
	d := newDeliveryLog(newLogger(new(testkit.Buffer)))
	now := time.Unix(1e9, 0)
	for i, test := range []struct {
		after time.Duration
		kind  keyrack.Refusal
		want  int
	}{
		{0, keyrack.RefusedSecret, 1},
		{0, keyrack.RefusedSecret, 0},
		{0, keyrack.RefusedSyntax, 1},
		{refusalPause - 1, keyrack.RefusedSecret, 0},
		{1, keyrack.RefusedSecret, 3},
		{0, keyrack.RefusedSecret, 0},
		{refusalPause, keyrack.RefusedSyntax, 1},
	} {
		now = now.Add(test.after)
		if got := d.count(test.kind, now); got != test.want {
			t.Errorf("step %d: a line tells of %d, want %d", i, got, test.want)
		}
	}
}
