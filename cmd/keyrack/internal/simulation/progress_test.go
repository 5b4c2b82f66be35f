package simulation

import (
	"strings"
	"testing"
)

// TestProgress: a bar is for terminals, and is taken away.
func TestProgress(t *testing.T) {
	var b strings.Builder
	silent := newProgress(&b, 2)
	silent.set(1)
	silent.end()
	if b.Len() > 0 {
		t.Errorf("a bar in a pipe: %q", b.String())
	}
	p := progress{w: &b, all: 2}
	p.set(1)
	p.set(2)
	p.end()
	if got := b.String(); !strings.Contains(got, "[###############...............] 1 of 2") || !strings.HasSuffix(got, "\x1b[K") {
		t.Errorf("%q", got)
	}
}
