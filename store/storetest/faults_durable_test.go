package storetest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"iter"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// durableFaults are those of a store that was opened again, is opened twice, or
// is looked into.
var durableFaults = []fault{
	{"cursors do not survive", "Reopen/finds everything as it was", func(s *planted) {
		s.reopened = func() store.Store {
			s.cursor = func(ctx context.Context, name string) (store.Position, error) { return 0, ctx.Err() }
			return s
		}
	}},
	{"bases do not survive", "Reopen/finds everything as it was", func(s *planted) {
		s.reopened = func() store.Store {
			s.load = func(ctx context.Context, integration string) (store.Stored, error) {
				stored, err := s.sound.Load(ctx, integration)
				stored.Base = nil
				return stored, err
			}
			return s
		}
	}},
	{"fences begin anew", "Reopen/goes on with greater positions, fences and versions", func(s *planted) {
		s.reopened = func() store.Store {
			s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
				l, err := s.sound.Acquire(ctx, name, holder, ttl)
				l.Fence = 1
				return l, err
			}
			return s
		}
	}},
	{"positions begin anew", "Reopen/goes on with greater positions, fences and versions", func(s *planted) {
		s.reopened = func() store.Store {
			_, last, _ := s.sound.Bounds(context.Background())
			s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
				return yielding(func() ([]store.Entry, error) {
					all, err := collect(s.sound.Journal(ctx, after+last))
					for i := range all {
						all[i].Position -= last
					}
					return all, err
				})
			}
			return s
		}
	}},
	{"a second handle has a memory of its own", "Join/sees at once what another committed, and is bound by it", func(s *planted) {
		s.joined = func() store.Store { return newPlanted() }
	}},
	{"a second handle reads an old copy", "Join/sees at once what another committed, and is bound by it", func(s *planted) {
		s.joined = func() store.Store {
			two := newPlanted()
			soundOfTwo := two.sound
			*two = *s
			two.load = soundOfTwo.Load
			return two
		}
	}},
	{"a dump shows what was sealed", "Dump/shows no token or body in clear", func(s *planted) {
		block, _ := aes.NewCipher(make([]byte, 32))
		aead, _ := cipher.NewGCMWithRandomNonce(block)
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			if plain, err := aead.Open(nil, nil, c.Body, nil); err == nil {
				s.remains = append(s.remains, plain)
			}
			return s.sound.Commit(ctx, c)
		}
	}},
	{"a dump shows what was shredded", "Dump/shows nothing of what was erased", func(s *planted) {
		s.shred = func(ctx context.Context, refs ...store.Ref) error {
			for _, ref := range refs {
				value, _ := s.sound.Sealed(ctx, ref)
				s.remains = append(s.remains, bytes.Clone(value))
			}
			return s.sound.Shred(ctx, refs...)
		}
	}},
	{"a dump shows what was forgotten", "Dump/shows nothing of what was erased", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			if c.Forget {
				old, _ := s.sound.Load(ctx, c.Entry.Integration)
				s.remains = append(s.remains, old.Record)
			}
			return s.sound.Commit(ctx, c)
		}
	}},
}
