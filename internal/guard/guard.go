package guard

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Watch is told of every call of a store before it begins, and returns the context
// in which the call is made and what to call at its end: with the part of the time
// that was not the store's, and the error as the caller sees it. A nil Watch is told
// nothing.
type Watch func(ctx context.Context, method string) (context.Context, func(elsewhere time.Duration, err error))

// Store returns s as a guarded store. What s may be besides a store.Store
// ([store.Volatile], [store.News]) the guarded one is too.
func Store(s store.Store, watch Watch) store.Store { return guarded{s, watch} }

type guarded struct {
	store store.Store
	watch Watch
}

var (
	_ store.Volatile = guarded{}
	_ store.News     = guarded{}
)

// Patience is how long one call of a store, or one step of an iteration, may take
// where its caller's context allows more.
const Patience = 30 * time.Second

// begin begins a call. The function that it returns is nil where nobody watches.
func (w Watch) begin(ctx context.Context, method string) (context.Context, func(time.Duration, error)) {
	if w == nil {
		return ctx, nil
	}
	return w(ctx, method)
}

// call calls a method of the store.
func call[T any](ctx context.Context, w Watch, method string, do func(context.Context) (T, error)) (result T, err error) {
	ctx, ended := w.begin(ctx, method)
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > Patience {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, Patience)
		defer cancel()
	}
	if v := Panicked(func() { result, err = do(ctx) }); v != nil {
		err = panicked("store", v)
	} else {
		err = Foreign("store", err)
	}
	if ended != nil {
		ended(0, err)
	}
	return result, err
}

// run calls the store for what has no result.
func run(ctx context.Context, w Watch, method string, do func(context.Context) error) error {
	_, err := call(ctx, w, method, func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) })
	return err
}

// each iterates over what the store yields. The time that the consumer takes
// does not count, and a panic of the consumer's is its own.
func each[T any](ctx context.Context, w Watch, method string, of func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, ended := w.begin(ctx, method)
		var consumer time.Duration // how long it took
		var failed error
		if ended != nil {
			defer func() { ended(consumer, failed) }()
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var late atomic.Bool
		watch := time.AfterFunc(Patience, func() { late.Store(true); cancel() })
		defer watch.Stop()

		consuming, over := false, false
		step := func(v T, err error) bool {
			watch.Stop()
			if err != nil && late.Load() {
				err = context.DeadlineExceeded // and not the consumer's doing
			}
			failed = Foreign("store", err)
			var since time.Time
			if ended != nil {
				since = time.Now()
			}
			consuming = true
			over = !yield(v, failed) || err != nil
			consuming = false
			if ended != nil {
				consumer += time.Since(since)
			}
			watch.Reset(Patience)
			return !over
		}
		v := Panicked(func() { of(ctx)(step) })
		switch {
		case v != nil && consuming:
			panic(v)
		case v != nil && !over:
			failed = panicked("store", v)
			var nothing T
			yield(nothing, failed)
		}
	}
}

func (g guarded) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	return call(ctx, g.watch, "Commit", func(ctx context.Context) (store.Committed, error) { return g.store.Commit(ctx, c) })
}

func (g guarded) Load(ctx context.Context, integration string) (store.Stored, error) {
	return call(ctx, g.watch, "Load", func(ctx context.Context) (store.Stored, error) { return g.store.Load(ctx, integration) })
}

func (g guarded) Incarnation(ctx context.Context) (string, error) {
	return call(ctx, g.watch, "Incarnation", g.store.Incarnation)
}

func (g guarded) Renew(ctx context.Context) error {
	return run(ctx, g.watch, "Renew", g.store.Renew)
}

func (g guarded) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return each(ctx, g.watch, "Scan", func(ctx context.Context) iter.Seq2[store.Stored, error] { return g.store.Scan(ctx, after) })
}

func (g guarded) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	return call(ctx, g.watch, "Owner", func(ctx context.Context) (string, error) { return g.store.Owner(ctx, d) })
}

func (g guarded) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return each(ctx, g.watch, "Journal", func(ctx context.Context) iter.Seq2[store.Entry, error] { return g.store.Journal(ctx, after) })
}

func (g guarded) Bounds(ctx context.Context) (first, last store.Position, err error) {
	err = run(ctx, g.watch, "Bounds", func(ctx context.Context) (err error) {
		first, last, err = g.store.Bounds(ctx)
		return err
	})
	return first, last, err
}

func (g guarded) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return each(ctx, g.watch, "History", func(ctx context.Context) iter.Seq2[store.Entry, error] {
		return g.store.History(ctx, integration, after)
	})
}

func (g guarded) Annotate(ctx context.Context, annotations ...store.Annotation) error {
	return run(ctx, g.watch, "Annotate", func(ctx context.Context) error { return g.store.Annotate(ctx, annotations...) })
}

func (g guarded) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	return call(ctx, g.watch, "Sealed", func(ctx context.Context) ([]byte, error) { return g.store.Sealed(ctx, ref) })
}

func (g guarded) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return each(ctx, g.watch, "Names", func(ctx context.Context) iter.Seq2[string, error] { return g.store.Names(ctx, prefix) })
}

func (g guarded) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return each(ctx, g.watch, "ScanSealed", g.store.ScanSealed)
}

func (g guarded) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	return run(ctx, g.watch, "Reseal", func(ctx context.Context) error { return g.store.Reseal(ctx, ref, old, new) })
}

func (g guarded) Shred(ctx context.Context, refs ...store.Ref) error {
	return run(ctx, g.watch, "Shred", func(ctx context.Context) error { return g.store.Shred(ctx, refs...) })
}

func (g guarded) Trim(ctx context.Context, integration string, through uint64, base []byte) error {
	return run(ctx, g.watch, "Trim", func(ctx context.Context) error { return g.store.Trim(ctx, integration, through, base) })
}

func (g guarded) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	return call(ctx, g.watch, "Acquire", func(ctx context.Context) (store.Lease, error) { return g.store.Acquire(ctx, name, holder, ttl) })
}

func (g guarded) Release(ctx context.Context, l store.Lease) error {
	return run(ctx, g.watch, "Release", func(ctx context.Context) error { return g.store.Release(ctx, l) })
}

func (g guarded) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	return run(ctx, g.watch, "Advance", func(ctx context.Context) error { return g.store.Advance(ctx, l, to) })
}

func (g guarded) Cursor(ctx context.Context, name string) (store.Position, error) {
	return call(ctx, g.watch, "Cursor", func(ctx context.Context) (store.Position, error) { return g.store.Cursor(ctx, name) })
}

// Volatile returns what the store says.
func (g guarded) Volatile() bool {
	v, ok := g.store.(store.Volatile)
	return ok && v.Volatile()
}

// News returns what the store gives, or nil.
func (g guarded) News(ctx context.Context) <-chan struct{} {
	if n, ok := g.store.(store.News); ok {
		return n.News(ctx)
	}
	return nil
}
