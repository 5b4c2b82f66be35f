package console

import (
	"context"
	"sync"
	"time"
)

// lately holds what takes too long to find out with each request. Who reads it gets what was
// found last; where that is old, a goroutine finds it anew, and close waits for it.
type lately[T any] struct {
	find func(context.Context) (T, error)

	ctx  context.Context // ends with close
	stop context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex
	value   T
	err     error
	found   time.Time     // zero: never yet
	running chan struct{} // closed when what runs has ended; nil: nothing runs
}

const (
	latelyFor  = 10 * time.Second
	latelyWait = 25 * time.Millisecond // that a visitor waits for something newer
)

func newLately[T any](find func(context.Context) (T, error)) *lately[T] {
	l := &lately[T]{find: find}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

func (l *lately[T]) close() {
	l.mu.Lock()
	l.stop()
	l.mu.Unlock()
	l.work.Wait()
}

// read returns what was found last, and whether anything was found yet.
func (l *lately[T]) read() (value T, err error, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.found) > latelyFor && l.running == nil && l.ctx.Err() == nil {
		done := make(chan struct{})
		l.running = done
		l.work.Go(func() {
			value, err := l.find(l.ctx)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.value, l.err, l.found, l.running = value, err, time.Now(), nil
			close(done)
		})
	}
	if done := l.running; done != nil {
		l.mu.Unlock()
		timer := time.NewTimer(latelyWait)
		select {
		case <-done:
		case <-timer.C:
		}
		timer.Stop()
		l.mu.Lock()
	}
	return l.value, l.err, !l.found.IsZero()
}
