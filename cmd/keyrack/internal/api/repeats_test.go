package api

import (
	"fmt"
	"testing"
)

// TestRepeats: what is remembered are the latest keys of each caller.
func TestRepeats(t *testing.T) {
	var r repeats
	for n := range 3 * repeatsKept {
		if !r.first("a", fmt.Sprint(n)) || r.first("a", fmt.Sprint(n)) || len(r.known) > repeatsKept {
			t.Fatalf("at key %d, of %d", n, len(r.known))
		}
	}
	if r.first("a", fmt.Sprint(3*repeatsKept-1)) || !r.first("b", fmt.Sprint(3*repeatsKept-1)) || !r.first("a", "0") {
		t.Error("what is remembered are the latest keys of each caller")
	}
}
