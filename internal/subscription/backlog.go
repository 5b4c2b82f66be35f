package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/internal/backoff"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	// maxQueue bounds how many entries of one integration wait in memory, and maxWaiting
	// how many of all. What waits beyond that is read from the journal again when its turn
	// comes. The first entry of each integration that fails is always in memory, so no
	// integration holds up another.
	maxQueue   = 256
	maxWaiting = 4096
)

// waiting is an entry that failed, or that waits behind one that did.
type waiting[T any] struct {
	id         store.EntryID
	position   store.Position
	item       T
	unreadable error // why there is no item
	attempts   int
	due        time.Time
}

// queue is what waits of one integration, in order.
type queue[T any] struct {
	entries []waiting[T]
	// till is the position of the entry that was taken into the queue last, and beyond
	// whether others after it were read and left in the journal.
	till   store.Position
	beyond bool
}

// done returns the position up to which the integration's entries are done.
func (q *queue[T]) done() store.Position {
	if len(q.entries) > 0 {
		return q.entries[0].position - 1
	}
	return q.till
}

// backlog is what a subscriber has read of the journal and not finished.
type backlog[T any] struct {
	*Subscriber[T]
	lease   store.Lease
	read    store.Position       // how far the journal was read
	kept    store.Position       // where the cursor in the store stands
	failing map[string]*queue[T] // by integration; the first entry is the one that failed
	waiting int                  // entries in all queues
	enough  time.Time            // when the stride ends
	ahead   ahead                // what is done beyond the cursor, as the store has it; with Within
}

// obey reads what the operator wants, and rewinds if that is wanted.
func (b *backlog[T]) obey(ctx context.Context) (paused bool, err error) {
	c, old, err := readControl(ctx, b.Store, b.Name)
	if err != nil || c.Rewind == nil {
		return c.Paused, err
	}
	if c.Retry {
		if err := forgetAfter(ctx, b.Store, b.Name, *c.Rewind); err != nil {
			return false, err
		}
	}
	if err := b.Store.Shred(ctx, aheadRef(b.Name)); err != nil {
		return false, err
	}
	b.ahead = ahead{}
	if err := b.Store.Advance(ctx, b.lease, *c.Rewind); err != nil {
		return false, err
	}
	b.read, b.kept = *c.Rewind, *c.Rewind
	clear(b.failing)
	b.waiting = 0
	c.Rewind, c.Retry = nil, false
	return c.Paused, writeControl(ctx, b.Store, b.Name, c, old)
}

// rejoin begins again where the histories part if the store went back since. The cursor may
// be that of another instance, which did not notice before it ended.
func (b *backlog[T]) rejoin(ctx context.Context) error {
	at, forks := b.fork()
	if forks == b.joined {
		return nil
	}
	if b.Within != nil { // what the handler wrote went back with the cursor
		if err := b.begin(ctx); err != nil {
			return err
		}
	} else if b.read > at || b.kept > at {
		if err := b.beginAgain(ctx, b.lease, b.read, at); err != nil {
			return err
		}
		b.read, b.kept, b.waiting = at, at, 0
		clear(b.failing)
	}
	b.joined = forks
	return nil
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
		if b.Within != nil && len(b.failing) >= maxAhead {
			return false, nil
		}
		if errors.Is(err, store.ErrTrimmed) {
			return false, b.skip(ctx)
		}
		if err != nil {
			return false, err
		}
		if w, wanted := b.look(e); wanted {
			if err := b.add(ctx, e.Integration, w); err != nil {
				return false, err
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

// look makes of an entry what may wait, and reports whether the handler is to hear of it.
// An entry that cannot be read is wanted: it fails until a version that can read it
// comes, or it becomes a dead letter.
func (b *backlog[T]) look(e store.Entry) (waiting[T], bool) {
	if b.ahead.has(&e) {
		return waiting[T]{}, false
	}
	item, err := b.Parse(e)
	return waiting[T]{id: e.ID, position: e.Position, item: item, unreadable: err}, err != nil || b.Wants(item)
}

// add takes up an entry that was read for the first time, and handles it unless others of
// its integration come first.
func (b *backlog[T]) add(ctx context.Context, integration string, w waiting[T]) error {
	q := b.failing[integration]
	switch {
	case q == nil:
		q = &queue[T]{entries: []waiting[T]{w}, till: w.position}
		b.failing[integration] = q
		b.waiting++
		return b.retry(ctx, integration)
	case q.beyond || len(q.entries) >= maxQueue || b.waiting >= maxWaiting:
		q.beyond = true
	default:
		q.entries, q.till = append(q.entries, w), w.position
		b.waiting++
	}
	return nil
}

// refill takes into an empty queue what was left in the journal.
func (b *backlog[T]) refill(ctx context.Context, integration string, q *queue[T]) error {
	first, _, err := b.Store.Bounds(ctx)
	if err != nil {
		return err
	}
	if first > q.till {
		b.Log.ErrorContext(ctx, "a subscription missed what was trimmed from the journal", "subscription", b.Name, "integration", integration)
	}
	q.beyond = false
	till := q.till
	for e, err := range b.Store.History(ctx, integration, store.EntryID{}) {
		if err != nil {
			q.beyond = true
			return err
		}
		if e.Position <= till || e.Position > b.read { // the latter the journal will bring
			continue
		}
		w, wanted := b.look(e)
		if !wanted {
			continue
		}
		if len(q.entries) >= maxQueue {
			q.beyond = true
			break
		}
		q.entries, q.till = append(q.entries, w), w.position
		b.waiting++
	}
	return nil
}

// retry works off what waits for an integration, until the first is not due, fails
// again, or the stride ends.
func (b *backlog[T]) retry(ctx context.Context, integration string) error {
	q := b.failing[integration]
	for len(q.entries) > 0 || q.beyond {
		if time.Now().After(b.enough) {
			return nil
		}
		if len(q.entries) == 0 {
			if err := b.refill(ctx, integration, q); err != nil {
				return err
			}
			continue
		}
		first := &q.entries[0]
		if first.due.After(time.Now()) {
			return nil
		}
		err := first.unreadable
		if err == nil {
			err = b.handle(ctx, integration, q)
		}
		if ctx.Err() != nil {
			return nil // not the handler's failure
		}
		if broken, ok := errors.AsType[*Interrupted](err); ok {
			return broken.Cause
		}
		if err != nil {
			if first.attempts++; first.attempts < b.Attempts {
				first.due = time.Now().Add(backoff.Wait(first.attempts, 0, nil))
				if first.unreadable != nil && first.attempts == 1 {
					b.Log.ErrorContext(ctx, "a change cannot be read; later changes of its integration wait", "subscription", b.Name,
						"entry", first.id.String(), "integration", integration)
				}
				return nil
			}
			b.Log.ErrorContext(ctx, "a change becomes a dead letter", "subscription", b.Name,
				"entry", first.id.String(), "attempts", first.attempts, "error type", fmt.Sprintf("%T", err))
			letter := DeadLetter{first.id, first.position, integration, first.attempts, time.Now().UTC()}
			if err := bury(ctx, b.Store, b.Name, letter); err != nil {
				return err
			}
		}
		q.entries = q.entries[1:]
		b.waiting--
	}
	delete(b.failing, integration)
	return nil
}

// keep moves the cursor to where everything before is done.
func (b *backlog[T]) keep(ctx context.Context) error {
	done := b.read
	for _, q := range b.failing {
		done = min(done, q.done())
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

// retryGrain is how far apart two rounds of retries are at least, so that many integrations
// that fail do not cost a round each.
const retryGrain = 50 * time.Millisecond

// pause returns how long there is nothing to do unless the journal grows: until the
// first retry is due, at most a second, after which the operator's wishes are read.
func (b *backlog[T]) pause(now time.Time) time.Duration {
	pause := time.Second
	for _, q := range b.failing {
		if len(q.entries) == 0 || !q.entries[0].due.After(now) {
			return 0 // the stride ended first
		}
		pause = min(pause, max(retryGrain, q.entries[0].due.Sub(now)))
	}
	return pause
}
