package sqlitestore

import (
	"context"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// writer is the one goroutine that writes. It takes what was asked for meanwhile
// into one transaction, and answers everybody when that is durable.
type writer struct {
	store *Store
	queue chan *request
	stop  chan struct{}
	ended chan struct{}
}

// request is a change to be made. Its do may be called more than once, each time
// with nothing left of the time before; an error that is a refusal means that it
// changed nothing.
type request struct {
	ctx    context.Context
	do     func(l *link) error
	erases bool // something that must not stay in the log
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

// close has what is in the queue finished, and waits for it.
func (w *writer) close() {
	close(w.stop)
	<-w.ended
}

// write has a change made, and returns when it is durable, was refused, or ctx has
// ended. In the last case do may still be called.
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
		// It may have been answered at the last moment.
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
	if l.inherited { // from a crash, as a rule: it may hold what was erased before
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

// turn is the writer at work: one transaction at a time.
type turn struct {
	*writer
	link       *link // nil after a failure
	batch      []*request
	eraseTimer *time.Timer
	erased     bool // since the last sweep
}

// sweepPatience is how long a sweep waits for those who read. Commits wait for it.
const sweepPatience = 50 * time.Millisecond

// sweep empties the log of what was erased. Where that fails, or others still read
// from it, it is tried again later.
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
		t.owe() // the connection is good for commits all the same: they need the log alone
	}
	if err := pragmas(ctx, t.link, busyTimeout(usual)); err != nil {
		t.hangUp()
	}
}

// owe has the log swept in time.
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

// take makes one transaction of r and of what else is in the queue. Where it fails
// before its end, each is tried alone, so that nobody fails for another's sake.
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

// transact tries the batch, which grows while it does if more is true. It
// answers everybody, or returns false if it did nothing and each should be tried alone.
func (t *turn) transact(more bool) bool {
	ctx := context.Background() // that of one request is not that of another
	if err := t.begin(ctx); err != nil {
		t.answer(failure(ctx, err))
		return true
	}
	for i := 0; i < len(t.batch); i++ {
		r := t.batch[i]
		// Whoever gave up before the transaction began may rely on it that nothing
		// will come of it later.
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
		// A refusal may have been for the sake of another's change: unknown, too.
		t.answer(failure(ctx, err))
		return true
	}
	t.answer(nil)
	return true
}

// begin begins the transaction, on a new connection if the present one fails
// by itself.
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
	l, err := t.store.dial(ctx, true)
	if err == nil {
		t.link = l
	}
	return err
}

// rollback undoes the transaction, if SQLite has not done so already.
func (t *turn) rollback(ctx context.Context) {
	_, _, _ = t.link.exec(ctx, "ROLLBACK")
}

// answer tells everybody err or, if that is nil, what became of him.
func (t *turn) answer(err error) {
	for i, r := range t.batch {
		if err != nil {
			r.err = err
		}
		r.done <- r.err
		t.batch[i] = nil
	}
}
