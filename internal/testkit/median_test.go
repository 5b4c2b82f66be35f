package testkit_test

import (
	"testing"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

func TestMedian(t *testing.T) {
	if got := testkit.Median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("of three: %v", got)
	}
	if got := testkit.Median([]int{4, 1, 3, 2}); got != 3 {
		t.Errorf("of four: %v", got)
	}
}
