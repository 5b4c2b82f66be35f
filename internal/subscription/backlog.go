package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/internal/backoff"
	"github.com/keyrack-dev/keyrack/store"
)

// maxWaiting bounds how many entries wait behind others that failed, in memory.
const maxWaiting = 4096

// waiting is an entry that failed, or that waits behind one that did.
type waiting[T any] struct {
	id       store.EntryID
	position store.Position
	item     T
	attempts int
	due      time.Time
}

// backlog is what a subscriber has read of the journal and not finished.
type backlog[T any] struct {
	*Subscriber[T]
	lease   store.Lease
	read    store.Position          // how far the journal was read
	kept    store.Position          // where the cursor in the store stands
	failing map[string][]waiting[T] // by integration, in order; the first is the one that failed
	waiting int
	enough  time.Time // when the stride ends
}

// obey reads what the operator wants, and rewinds if that is wanted.
func (b *backlog[T]) obey(ctx context.Context) (paused bool, err error) {
	c, old, err := readControl(ctx, b.Store, b.Name)
	if err != nil || c.Rewind == nil {
		return c.Paused, err
	}
	if err := b.Store.Advance(ctx, b.lease, *c.Rewind); err != nil {
		return false, err
	}
	b.read, b.kept = *c.Rewind, *c.Rewind
	clear(b.failing)
	b.waiting = 0
	c.Rewind = nil
	return c.Paused, writeControl(ctx, b.Store, b.Name, c, old)
}

// advance tries again what is due, reads on, and keeps how far everything is done. It
// returns how long there is nothing to do unless the journal grows.
func (b *backlog[T]) advance(ctx context.Context) (wait time.Duration, err error) {
	b.enough = time.Now().Add(stride)
	more, err := b.proceed(ctx)
	if err != nil || ctx.Err() != nil {
		return 0, err
	}
	if err := b.keep(ctx); err != nil || more {
		return 0, err
	}
	return b.pause(time.Now()), nil
}

// proceed works until there is no more to do, or the stride ends.
func (b *backlog[T]) proceed(ctx context.Context) (more bool, err error) {
	for integration := range b.failing {
		if err := b.retry(ctx, integration); err != nil {
			return false, err
		}
	}
	for e, err := range b.Store.Journal(ctx, b.read) {
		if errors.Is(err, store.ErrTrimmed) {
			return false, b.skip(ctx)
		}
		var item T
		if err == nil {
			item, err = b.Parse(e)
		}
		if err != nil {
			return false, err
		}
		if b.waiting >= maxWaiting {
			return false, nil
		}
		if b.Wants(item) {
			queue := b.failing[e.Integration]
			b.failing[e.Integration] = append(queue, waiting[T]{id: e.ID, position: e.Position, item: item})
			b.waiting++
			if len(queue) == 0 {
				if err := b.retry(ctx, e.Integration); err != nil {
					return false, err
				}
			}
		}
		if ctx.Err() != nil {
			return false, nil
		}
		b.read = e.Position
		if time.Now().After(b.enough) {
			return true, nil
		}
	}
	return false, nil
}

// retry works off what waits for an integration, until the first is not due, fails
// again, or the stride ends.
func (b *backlog[T]) retry(ctx context.Context, integration string) error {
	for queue := b.failing[integration]; len(queue) > 0; queue = b.failing[integration] {
		first := &queue[0]
		if now := time.Now(); first.due.After(now) || now.After(b.enough) {
			return nil
		}
		err := b.Handle(ctx, first.item, first.attempts+1)
		if ctx.Err() != nil {
			return nil // not the handler's failure
		}
		if err != nil {
			if first.attempts++; first.attempts < b.Attempts {
				first.due = time.Now().Add(backoff.Wait(first.attempts, 0, nil))
				return nil
			}
			b.Log.ErrorContext(ctx, "a change becomes a dead letter", "subscription", b.Name,
				"entry", first.id.String(), "attempts", first.attempts, "error type", fmt.Sprintf("%T", err))
			letter := DeadLetter{first.id, first.position, integration, first.attempts, time.Now().UTC()}
			if err := bury(ctx, b.Store, b.Name, letter); err != nil {
				return err
			}
		}
		b.failing[integration] = queue[1:]
		b.waiting--
	}
	delete(b.failing, integration)
	return nil
}

// keep moves the cursor to where everything before is done.
func (b *backlog[T]) keep(ctx context.Context) error {
	done := b.read
	for _, queue := range b.failing {
		done = min(done, queue[0].position-1)
	}
	if done == b.kept {
		return nil
	}
	if err := b.Store.Advance(ctx, b.lease, done); err != nil {
		return err
	}
	b.kept = done
	return nil
}

// skip goes on where the journal begins, since it was trimmed beyond the cursor.
func (b *backlog[T]) skip(ctx context.Context) error {
	first, _, err := b.Store.Bounds(ctx)
	if err != nil {
		return err
	}
	b.Log.ErrorContext(ctx, "a subscription missed what was trimmed from the journal", "subscription", b.Name)
	b.read = max(first, b.read)
	return nil
}

// pause returns how long there is nothing to do unless the journal grows: until the
// first retry is due, at most a second, after which the operator's wishes are read.
func (b *backlog[T]) pause(now time.Time) time.Duration {
	pause := time.Second
	for _, queue := range b.failing {
		pause = min(pause, max(0, queue[0].due.Sub(now)))
	}
	return pause
}
