package testkit_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// TestBuffer may be read while it is written, and is empty once it was taken.
func TestBuffer(t *testing.T) {
	var b testkit.Buffer
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				_, _ = b.Write([]byte("x"))
				_ = b.String()
			}
		})
	}
	wg.Wait()
	if got := b.String(); got != strings.Repeat("x", 800) || b.Take() != got || b.String() != "" {
		t.Errorf("%d bytes, and then %q", len(got), b.String())
	}
}
