// Package annotation writes into the journal how deliveries were answered, after the
// answers are given: nobody waits for that. Answers that come within a second share one
// write. A crash loses some, and then the journal does not say how a delivery was
// answered; the delivery itself is there.
package annotation

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	gathering = time.Second // how long answers are gathered before they are written
	most      = 4096        // beyond it answers are lost, so that memory is bounded
)

// Notes holds answers until the journal has them. It is safe for concurrent use.
type Notes struct {
	store   store.Store
	log     *slog.Logger
	timeout time.Duration // of one write

	mu      sync.Mutex
	pending []store.Annotation
	lost    int
	waiting chan struct{} // gets a value when the first is added
}

// New returns Notes on a store, each of whose writes may take as long as timeout.
func New(s store.Store, log *slog.Logger, timeout time.Duration) *Notes {
	return &Notes{store: s, log: log, timeout: timeout, waiting: make(chan struct{}, 1)}
}

// Add takes the answer to a delivery, and returns at once.
func (n *Notes) Add(id store.EntryID, answer store.Response) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.pending) >= most {
		n.lost++
		return
	}
	n.pending = append(n.pending, store.Annotation{ID: id, Response: answer})
	if len(n.pending) == 1 {
		select {
		case n.waiting <- struct{}{}:
		default:
		}
	}
}

// Run writes answers until the context ends, and then what is left.
func (n *Notes) Run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-n.waiting:
			gathered, cancel := context.WithTimeout(ctx, gathering)
			<-gathered.Done()
			cancel()
		case <-ctx.Done():
		}
		n.Flush()
	}
}

// take returns what is pending, and how many answers were lost since the last time.
func (n *Notes) take() (taken []store.Annotation, lost int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken, lost = n.pending, n.lost
	n.pending, n.lost = nil, 0
	return taken, lost
}

// Flush writes what is pending, and returns once it is written or the timeout is over.
func (n *Notes) Flush() {
	taken, lost := n.take()
	if lost > 0 {
		n.log.Warn("answers not noted in the journal: too many at once", "answers", lost)
	}
	if len(taken) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.timeout)
	defer cancel()
	if err := n.store.Annotate(ctx, taken...); err != nil {
		n.log.WarnContext(ctx, "answers not noted in the journal", "answers", len(taken), "error", err)
	}
}
