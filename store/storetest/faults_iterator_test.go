package storetest

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/keyrack-dev/keyrack/store"
)

// iteratorFaults are those of whatever yields.
var iteratorFaults = []fault{
	{"breaking off keeps a lock", "Iterator/may be broken off", func(s *planted) {
		var mu sync.RWMutex
		s.scan = func(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
			return func(yield func(store.Stored, error) bool) {
				if !mu.TryRLock() {
					yield(store.Stored{}, errors.New("locked"))
					return
				}
				for stored, err := range s.sound.Scan(ctx, after) {
					if !yield(stored, err) {
						return
					}
				}
				mu.RUnlock()
			}
		}
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			mu.Lock()
			defer mu.Unlock()
			return s.sound.Commit(ctx, c)
		}
	}},
	{"an iterator can be used once", "Iterator/begins when it is ranged over, each time anew", func(s *planted) {
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			return func(yield func(store.Entry, error) bool) {
				for e, err := range s.sound.Journal(ctx, after) {
					if !yield(e, err) || err != nil {
						return
					}
					after = e.Position
				}
			}
		}
	}},
	{"an iterator begins when it is made", "Iterator/begins when it is ranged over, each time anew", func(s *planted) {
		s.scanSealed = func(ctx context.Context) iter.Seq2[store.Ref, error] {
			all, err := collect(s.sound.ScanSealed(ctx))
			return yielding(func() ([]store.Ref, error) { return all, err })
		}
	}},
	{"an iterator holds a lock while it yields", "Iterator/lets its consumer call the store meanwhile", func(s *planted) {
		var mu sync.RWMutex
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return func(yield func(store.Entry, error) bool) {
				mu.RLock()
				defer mu.RUnlock()
				s.sound.History(ctx, integration, after)(yield)
			}
		}
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			mu.Lock()
			defer mu.Unlock()
			return s.sound.Commit(ctx, c)
		}
	}},
	{"there is one connection for iterators", "Iterator/may be ranged over within another", func(s *planted) {
		var mu sync.Mutex
		s.scan = func(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
			return func(yield func(store.Stored, error) bool) {
				mu.Lock()
				defer mu.Unlock()
				s.sound.Scan(ctx, after)(yield)
			}
		}
	}},
	{"an iterator whose context ends just ends", "Iterator/that has no error is complete, though its context ends", func(s *planted) {
		s.scan = func(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
			return func(yield func(store.Stored, error) bool) {
				begun := false
				for stored, err := range s.sound.Scan(ctx, after) {
					if begun && ctx.Err() != nil || !yield(stored, err) {
						return
					}
					begun = true
				}
			}
		}
	}},
	{"an iterator goes on after an error", "Context/that has ended is what every method answers with", func(s *planted) {
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			return func(yield func(store.Entry, error) bool) {
				s.sound.Journal(ctx, after)(yield)
				if ctx.Err() != nil {
					s.sound.Journal(context.WithoutCancel(ctx), after)(yield)
				}
			}
		}
	}},
}
