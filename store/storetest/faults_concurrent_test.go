package storetest

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// hiding plants a moment, up to the longest, during which a commit that happened
// already is hidden from those who ask with hidden.
func hiding(s *planted, longest time.Duration) (hidden func(id store.EntryID) bool) {
	var ids sync.Map
	s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
		ids.Store(c.Entry.ID, true)
		defer ids.Delete(c.Entry.ID)
		r, err := s.sound.Commit(ctx, c)
		time.Sleep(rand.N(longest))
		return r, err
	}
	return func(id store.EntryID) bool {
		_, ok := ids.Load(id)
		return ok
	}
}

// concurrentFaults are those that need two at a time.
var concurrentFaults = []fault{
	{"the version is checked before the transaction", "Commit/at the same version by many at once succeeds once", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			version := s.version(ctx, c.Entry.Integration)
			time.Sleep(50 * time.Microsecond)
			r, err := s.sound.Commit(ctx, c)
			if errors.Is(err, store.ErrConflict) && version == c.Expect {
				c.Expect = s.version(ctx, c.Entry.Integration)
				r, err = s.sound.Commit(ctx, c)
				r.Version = version + 1
			}
			return r, err
		}
	}},
	{"owners are asked before the transaction", "Claim/by many at once has one winner", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			free := true
			for _, claim := range c.Claim {
				_, err := s.sound.Owner(ctx, claim.Digest)
				free = free && err != nil
			}
			time.Sleep(50 * time.Microsecond)
			r, err := s.sound.Commit(ctx, c)
			if errors.Is(err, store.ErrOwned) && free {
				c.Claim = nil
				return s.sound.Commit(ctx, c)
			}
			return r, err
		}
	}},
	{"Load reads an old copy", "Commit/is linearizable", func(s *planted) {
		var copies sync.Map
		s.load = func(ctx context.Context, integration string) (store.Stored, error) {
			if old, ok := copies.Load(integration); ok {
				copies.Delete(integration)
				return old.(store.Stored), ctx.Err()
			}
			stored, err := s.sound.Load(ctx, integration)
			if err == nil {
				copies.Store(integration, stored)
			}
			return stored, err
		}
	}},
	{"a commit may be refused for no reason", "Commit/is linearizable", func(s *planted) {
		var n atomic.Int64
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			if n.Add(1)%40 == 0 {
				return store.Committed{}, store.ErrConflict
			}
			return s.sound.Commit(ctx, c)
		}
	}},
	{"Owner reads an old copy", "Commit/is linearizable", func(s *planted) {
		var copies sync.Map
		s.owner = func(ctx context.Context, d lifecycle.Digest) (string, error) {
			if old, ok := copies.LoadAndDelete(d); ok {
				return old.(string), nil
			}
			owner, err := s.sound.Owner(ctx, d)
			if err == nil {
				copies.Store(d, owner)
			}
			return owner, err
		}
	}},
	{"the entry comes after the record", "Commit/becomes visible as a whole", func(s *planted) {
		hidden := hiding(s, time.Millisecond)
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return yielding(func() ([]store.Entry, error) {
				all, err := collect(s.sound.History(ctx, integration, after))
				return slices.DeleteFunc(all, func(e store.Entry) bool { return hidden(e.ID) }), err
			})
		}
	}},
	{"the body comes after the entry", "Commit/becomes visible as a whole", func(s *planted) {
		hidden := hiding(s, time.Millisecond)
		s.sealed = func(ctx context.Context, ref store.Ref) ([]byte, error) {
			if hidden(ref.Entry) {
				return nil, store.ErrNotFound
			}
			return s.sound.Sealed(ctx, ref)
		}
	}},
	{"the digest comes after the record", "Commit/becomes visible as a whole", func(s *planted) {
		hidden := hiding(s, time.Millisecond)
		var commits sync.Map
		slow := s.commit
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			for _, claim := range c.Claim {
				commits.Store(claim.Digest, c.Entry.ID)
			}
			return slow(ctx, c)
		}
		s.owner = func(ctx context.Context, d lifecycle.Digest) (string, error) {
			if id, ok := commits.Load(d); ok && hidden(id.(store.EntryID)) {
				return "", store.ErrNotFound
			}
			return s.sound.Owner(ctx, d)
		}
	}},
	{"late committers are skipped", "Journal/never shows an entry before one that a reader was given already", func(s *planted) {
		hidden := hiding(s, time.Millisecond)
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			return yielding(func() ([]store.Entry, error) {
				all, err := collect(s.sound.Journal(ctx, after))
				return slices.DeleteFunc(all, func(e store.Entry) bool { return hidden(e.ID) }), err
			})
		}
	}},
	{"Scan lags", "Scan/after Bounds shows at least what the journal had", func(s *planted) {
		s.scan = func(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
			return yielding(func() ([]store.Stored, error) {
				all, err := collect(s.sound.Scan(ctx, after))
				return slices.DeleteFunc(all, func(in store.Stored) bool {
					newest, _ := collect(s.sound.History(ctx, in.Integration, store.EntryID{}))
					return len(newest) > 0 && time.Since(newest[len(newest)-1].At.Time()) < time.Second
				}), err
			})
		}
	}},
}
