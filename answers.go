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
	pending []store.Answered
	lost    int
}

const (
	answersEvery = time.Second
	answersMost  = 4096 // beyond it, answers are lost rather than memory
)

func (a *answers) add(id store.EntryID, answer store.Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.pending) >= answersMost {
		a.lost++
		return
	}
	a.pending = append(a.pending, store.Answered{ID: id, Answer: answer})
}

func (a *answers) take() []store.Answered {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := a.pending
	a.pending = nil
	return taken
}

// noteAnswers notes answers in the journal until the context ends, and then
// what is left.
func (r *Rack) noteAnswers(ctx context.Context) {
	tick := time.NewTicker(answersEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.flushAnswers()
		case <-ctx.Done():
			r.flushAnswers()
			return
		}
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
