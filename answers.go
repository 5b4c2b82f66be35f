package keyrack

import (
	"context"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// answers holds the answers to deliveries until the journal has them. They are noted
// in the background, because nobody waits for them. A crash loses some, and then the
// journal does not say how a delivery was answered.
type answers struct {
	mu      sync.Mutex
	pending []store.Annotation
	lost    int
	waiting chan struct{} // gets a value when the first is added
}

func newAnswers() answers { return answers{waiting: make(chan struct{}, 1)} }

const (
	answersAfter = time.Second // answers within a second share one note
	answersMost  = 4096        // beyond it answers are lost, so that memory is bounded
)

func (a *answers) add(id store.EntryID, answer store.Response) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.pending) >= answersMost {
		a.lost++
		return
	}
	a.pending = append(a.pending, store.Annotation{ID: id, Response: answer})
	if len(a.pending) == 1 {
		select {
		case a.waiting <- struct{}{}:
		default:
		}
	}
}

// take returns what is pending, and how many answers were lost since the last time.
func (a *answers) take() (taken []store.Annotation, lost int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken, lost = a.pending, a.lost
	a.pending, a.lost = nil, 0
	return taken, lost
}

// noteAnswers notes answers in the journal until the context ends, and then
// what is left.
func (r *Rack) noteAnswers(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-r.answers.waiting:
			pause(ctx, answersAfter)
		case <-ctx.Done():
		}
		r.flushAnswers()
	}
}

// pause waits for a time, or for the context's end.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (r *Rack) flushAnswers() {
	taken, lost := r.answers.take()
	if lost > 0 {
		r.log.Warn("answers not noted in the journal: too many at once", "answers", lost)
	}
	if len(taken) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.options.storeTimeout())
	defer cancel()
	if err := r.store.Annotate(ctx, taken...); err != nil {
		r.log.WarnContext(ctx, "answers not noted in the journal", "answers", len(taken), "error", err)
	}
}
