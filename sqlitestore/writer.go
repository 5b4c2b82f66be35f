package sqlitestore

import (
	"context"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// writer is the only goroutine that writes. It puts all waiting requests into one
// transaction and answers them when that is durable.
type writer struct {
	store *Store
	queue chan *request
	stop  chan struct{}
	ended chan struct{}
}

// request is a change to be made. Its do may be called more than once, and each call
// starts from scratch. A refusal as its error means that it changed nothing.
type request struct {
	ctx    context.Context
	do     func(l *link) error
	erases bool // it erases something, which must leave the log
	err    error
	done   chan error
}

const (
	queueSize = 1024
	batchSize = 512
)

// startWriter starts the goroutine, which ends with close.
func startWriter(s *Store, l *link) *writer {
	w := &writer{
		store: s,
		queue: make(chan *request, queueSize),
		stop:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	go w.run(l)
	return w
}

// close finishes what is in the queue and waits for that.
func (w *writer) close() {
	close(w.stop)
	<-w.ended
}

// write hands a change to the writer, and returns when it is durable, was refused, or
// ctx has ended. In the last case do may still be called.
func (s *Store) write(ctx context.Context, do func(l *link) error) error {
	return s.send(ctx, &request{do: do})
}

// erase is write for a change that erases something.
func (s *Store) erase(ctx context.Context, do func(l *link) error) error {
	return s.send(ctx, &request{do: do, erases: true})
}

func (s *Store) send(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return failure(ctx, err)
	}
	w := s.writer
	select {
	case <-w.stop:
		return ErrClosed
	default:
	}
	r.ctx, r.done = ctx, make(chan error, 1)
	select {
	case w.queue <- r:
	case <-ctx.Done():
		return failure(ctx, ctx.Err())
	case <-w.stop:
		return ErrClosed
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return failure(ctx, ctx.Err())
	case <-w.ended:
		// The answer may have come at the last moment.
		select {
		case err := <-r.done:
			return err
		default:
			return ErrClosed
		}
	}
}

func (w *writer) run(l *link) {
	defer close(w.ended)
	t := &turn{writer: w, link: l, eraseTimer: time.NewTimer(0)}
	t.eraseTimer.Stop()
	defer t.hangUp()
	if l.inherited { // usually from a crash; it may hold erased values
		t.owe()
	}
	for {
		select {
		case r := <-w.queue:
			t.take(r)
		case <-t.eraseTimer.C:
			t.sweep()
		case <-w.stop:
			for {
				select {
				case r := <-w.queue:
					t.take(r)
				default:
					if t.erased {
						t.sweep()
					}
					t.eraseTimer.Stop()
					return
				}
			}
		}
	}
}

// turn is the writer at work, one transaction at a time.
type turn struct {
	*writer
	link       *link // nil after a failure
	batch      []*request
	eraseTimer *time.Timer
	erased     bool // since the last sweep
}

// sweepPatience is how long a sweep waits for readers. Commits wait for the sweep.
const sweepPatience = 50 * time.Millisecond

// sweep removes erased values from the log. If that fails, or others still read from
// the log, it is tried again later.
func (t *turn) sweep() {
	t.erased = false
	ctx := context.Background()
	if err := t.connect(ctx); err != nil {
		t.owe()
		return
	}
	usual := t.store.setup.busy
	err := pragmas(ctx, t.link, busyTimeout(min(usual, sweepPatience)))
	busy := false
	if err == nil {
		busy, err = emptyLog(ctx, t.link)
	}
	if busy || err != nil {
		t.owe() // the connection still serves commits, which only need the log
	}
	if err := pragmas(ctx, t.link, busyTimeout(usual)); err != nil {
		t.hangUp()
	}
}

// owe schedules a sweep of the log.
func (t *turn) owe() {
	if !t.erased {
		t.erased = true
		t.eraseTimer.Reset(t.store.setup.erase)
	}
}

func (t *turn) hangUp() {
	if t.link != nil {
		t.link.discard()
		t.link = nil
	}
}

// take makes one transaction of r and of everything else in the queue. If that fails
// early, each request is tried alone, so that no request fails because of another.
func (t *turn) take(r *request) {
	t.batch = append(t.batch[:0], r)
	if t.transact(true) {
		return
	}
	for _, alone := range append([]*request(nil), t.batch...) {
		t.batch = append(t.batch[:0], alone)
		t.transact(false)
	}
}

// transact tries the batch, which grows meanwhile if more is true. It answers all
// requests, or returns false if it did nothing and each should be tried alone.
func (t *turn) transact(more bool) bool {
	ctx := context.Background() // no request's context is another's
	if err := t.begin(ctx); err != nil {
		t.answer(failure(ctx, err))
		return true
	}
	for i := 0; i < len(t.batch); i++ {
		r := t.batch[i]
		// A caller that gave up before the transaction began may rely on nothing
		// happening later.
		if r.err = r.ctx.Err(); r.err != nil {
			r.err = failure(r.ctx, r.err)
		} else if r.err = failure(ctx, r.do(t.link)); r.err != nil && !store.IsAnswer(r.err) {
			t.rollback(ctx)
			if len(t.batch) > 1 {
				return false
			}
			t.answer(r.err)
			return true
		}
		if more && len(t.batch) < batchSize {
			select {
			case next := <-t.queue:
				t.batch = append(t.batch, next)
			default:
			}
		}
	}
	if slices.ContainsFunc(t.batch, func(r *request) bool { return r.erases }) {
		t.owe()
	}
	if _, _, err := t.link.exec(ctx, "COMMIT"); err != nil {
		t.rollback(ctx)
		// A refusal may have been caused by another request's change, so it is unknown
		// too.
		t.answer(failure(ctx, err))
		return true
	}
	// What went into a file that is no longer there, or that another has taken the place of,
	// is as good as lost.
	t.answer(t.store.watch.check())
	return true
}

// begin begins the transaction, on a new connection if the present one fails on its own
// account.
func (t *turn) begin(ctx context.Context) error {
	if t.link != nil {
		_, _, err := t.link.exec(ctx, "BEGIN IMMEDIATE")
		if err == nil || isBusy(failure(ctx, err)) {
			return err
		}
		t.hangUp()
	}
	if err := t.connect(ctx); err != nil {
		return err
	}
	_, _, err := t.link.exec(ctx, "BEGIN IMMEDIATE")
	return err
}

// connect makes a connection if there is none.
func (t *turn) connect(ctx context.Context) error {
	if t.link != nil {
		return nil
	}
	if err := t.store.watch.check(); err != nil {
		return err // nobody is to write into another's file
	}
	l, err := t.store.dial(ctx, true)
	if err != nil {
		return err
	}
	if err := t.store.watch.begin(ctx, l); err != nil {
		l.discard()
		return err
	}
	t.link = l
	return nil
}

// rollback undoes the transaction, unless SQLite has done so already.
func (t *turn) rollback(ctx context.Context) {
	_, _, _ = t.link.exec(ctx, "ROLLBACK")
}

// answer sends each request err or, if that is nil, its own result.
func (t *turn) answer(err error) {
	for i, r := range t.batch {
		if err != nil {
			r.err = err
		}
		r.done <- r.err
		t.batch[i] = nil
	}
}
