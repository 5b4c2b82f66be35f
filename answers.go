package keyrack

import (
	"context"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// answers are the answers to deliveries that the journal does not know yet. They
// are noted in the background, since nobody waits for them: a crash loses some,
// and then the journal does not know how a delivery was answered.
type answers struct {
	mu      sync.Mutex
	pending []store.Annotation
	lost    int
	waiting chan struct{} // gets a value when the first is added
}

func newAnswers() answers { return answers{waiting: make(chan struct{}, 1)} }

const (
	answersAfter = time.Second // so that those of a second share one note
	answersMost  = 4096        // beyond it, answers are lost rather than memory
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

func (a *answers) take() []store.Annotation {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := a.pending
	a.pending = nil
	return taken
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
	taken := r.answers.take()
	if len(taken) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.options.storeTimeout())
	defer cancel()
	if err := r.store.Annotate(ctx, taken...); err != nil {
		r.log.WarnContext(ctx, "answers not noted in the journal", "answers", len(taken), "error", err)
	}
}
