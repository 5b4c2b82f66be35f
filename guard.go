package keyrack

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// guard stands before a store, which anybody may have written. It is the same
// store, but every call ends, a panic is an error, and no error has a text that
// is not ours: what a database says may quote what it was given.
type guard struct {
	store store.Store
	tell  *teller
}

// patience is how long one call of the store, or one step of an iteration, may
// take where nobody waits for it. Evidence has less: Options.StoreTimeout.
const patience = 30 * time.Second

// call calls a method of the store.
func call[T any](ctx context.Context, t *teller, method string, do func(context.Context) (T, error)) (result T, err error) {
	ctx, began := t.begin(ctx, WorkStore, method)
	defer func() { t.stored(began, method, 0, err) }()
	defer contain("store", &err)
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > patience {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	result, err = do(ctx)
	return result, foreign("store", err)
}

// run calls the store for what has no result.
func run(ctx context.Context, t *teller, method string, do func(context.Context) error) error {
	_, err := call(ctx, t, method, func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) })
	return err
}

// each iterates over what the store yields. The time that the consumer takes
// does not count, and a panic of the consumer's is its own.
func each[T any](ctx context.Context, t *teller, method string, of func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, began := t.begin(ctx, WorkStore, method)
		var consumer time.Duration // how long it took
		var failed error
		defer func() { t.stored(began, method, consumer, failed) }()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var late atomic.Bool
		watch := time.AfterFunc(patience, func() { late.Store(true); cancel() })
		defer watch.Stop()

		consuming, over := false, false
		step := func(v T, err error) bool {
			watch.Stop()
			if err != nil && late.Load() {
				err = context.DeadlineExceeded // and not the consumer's doing
			}
			failed = foreign("store", err)
			var since time.Time
			if t != nil {
				since = time.Now()
			}
			consuming = true
			over = !yield(v, failed) || err != nil
			consuming = false
			if t != nil {
				consumer += time.Since(since)
			}
			watch.Reset(patience)
			return !over
		}
		if err := walk(of(ctx), step, &consuming); err != nil && !over {
			failed = err
			var nothing T
			yield(nothing, err)
		}
	}
}

// walk walks, and returns a panic that was not the consumer's as an error.
func walk[T any](all iter.Seq2[T, error], step func(T, error) bool, consuming *bool) (err error) {
	defer func() {
		if !*consuming {
			if v := recover(); v != nil {
				err = panicked("store", v)
			}
		}
	}()
	all(step)
	return nil
}

func (g guard) Commit(ctx context.Context, c store.Commit) (store.Receipt, error) {
	return call(ctx, g.tell, "Commit", func(ctx context.Context) (store.Receipt, error) { return g.store.Commit(ctx, c) })
}

func (g guard) Load(ctx context.Context, integration string) (store.Stored, error) {
	return call(ctx, g.tell, "Load", func(ctx context.Context) (store.Stored, error) { return g.store.Load(ctx, integration) })
}

func (g guard) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return each(ctx, g.tell, "Scan", func(ctx context.Context) iter.Seq2[store.Stored, error] { return g.store.Scan(ctx, after) })
}

func (g guard) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	return call(ctx, g.tell, "Owner", func(ctx context.Context) (string, error) { return g.store.Owner(ctx, d) })
}

func (g guard) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return each(ctx, g.tell, "Journal", func(ctx context.Context) iter.Seq2[store.Entry, error] { return g.store.Journal(ctx, after) })
}

func (g guard) Bounds(ctx context.Context) (first, last store.Position, err error) {
	err = run(ctx, g.tell, "Bounds", func(ctx context.Context) (err error) {
		first, last, err = g.store.Bounds(ctx)
		return err
	})
	return first, last, err
}

func (g guard) History(ctx context.Context, integration string) iter.Seq2[store.Entry, error] {
	return each(ctx, g.tell, "History", func(ctx context.Context) iter.Seq2[store.Entry, error] { return g.store.History(ctx, integration) })
}

func (g guard) Annotate(ctx context.Context, answers ...store.Answered) error {
	return run(ctx, g.tell, "Annotate", func(ctx context.Context) error { return g.store.Annotate(ctx, answers...) })
}

func (g guard) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	return call(ctx, g.tell, "Sealed", func(ctx context.Context) ([]byte, error) { return g.store.Sealed(ctx, ref) })
}

func (g guard) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return each(ctx, g.tell, "ScanSealed", g.store.ScanSealed)
}

func (g guard) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	return run(ctx, g.tell, "Reseal", func(ctx context.Context) error { return g.store.Reseal(ctx, ref, old, new) })
}

func (g guard) Shred(ctx context.Context, refs ...store.Ref) error {
	return run(ctx, g.tell, "Shred", func(ctx context.Context) error { return g.store.Shred(ctx, refs...) })
}

func (g guard) Trim(ctx context.Context, integration string, through uint64, base []byte) error {
	return run(ctx, g.tell, "Trim", func(ctx context.Context) error { return g.store.Trim(ctx, integration, through, base) })
}

func (g guard) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	return call(ctx, g.tell, "Acquire", func(ctx context.Context) (store.Lease, error) { return g.store.Acquire(ctx, name, holder, ttl) })
}

func (g guard) Release(ctx context.Context, l store.Lease) error {
	return run(ctx, g.tell, "Release", func(ctx context.Context) error { return g.store.Release(ctx, l) })
}

func (g guard) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	return run(ctx, g.tell, "Advance", func(ctx context.Context) error { return g.store.Advance(ctx, l, to) })
}

func (g guard) Cursor(ctx context.Context, name string) (store.Position, error) {
	return call(ctx, g.tell, "Cursor", func(ctx context.Context) (store.Position, error) { return g.store.Cursor(ctx, name) })
}

// Volatile is what the store says.
func (g guard) Volatile() bool {
	v, ok := g.store.(Volatile)
	return ok && v.Volatile()
}

// News is what the store gives, or nil.
func (g guard) News(ctx context.Context) <-chan struct{} {
	if n, ok := g.store.(News); ok {
		return n.News(ctx)
	}
	return nil
}
