package simulation

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
)

// progress is a bar for somebody who watches; where nobody does it is silent. It is
// for one goroutine.
type progress struct {
	w     io.Writer // nil: nobody watches
	all   int
	drawn time.Time
}

const (
	progressWidth = 30
	progressEvery = 100 * time.Millisecond
)

func newProgress(w io.Writer, all int) *progress {
	if !terminal.Is(w) {
		w = nil
	}
	return &progress{w: w, all: all}
}

// set says how much is done.
func (p *progress) set(done int) {
	if p.w == nil || done < p.all && time.Since(p.drawn) < progressEvery {
		return
	}
	p.drawn = time.Now()
	full := progressWidth * done / max(1, p.all)
	fmt.Fprintf(p.w, "\r[%s%s] %d of %d changes", strings.Repeat("#", full), strings.Repeat(".", progressWidth-full), done, p.all)
}

// end takes the bar away.
func (p *progress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
