package storetest

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/keyrack-dev/keyrack/store"
)

// forgetFaults are those of EraseBodies and Forget.
var forgetFaults = []fault{
	{"EraseBodies erases nothing", "EraseBodies/erases the bodies of all earlier entries, and nothing else", editing(func(s *planted, c *store.Commit) {
		c.EraseBodies = false
	})},
	{"EraseBodies erases its own body too", "EraseBodies/erases the bodies of all earlier entries, and nothing else", editing(func(s *planted, c *store.Commit) {
		if c.EraseBodies {
			c.Body = nil
		}
	})},
	{"Forget leaves the bodies", "Forget/erases all earlier entries, bodies, digests and tokens of the integration", func(s *planted) {
		left := s.leftovers()
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			if c.Forget {
				left.keep(ctx, s, s.bodies(ctx, c.Entry.Integration)...)
			}
			return s.sound.Commit(ctx, c)
		}
	}},
	{"Forget leaves the digests", "Forget/erases all earlier entries, bodies, digests and tokens of the integration", editing(func(s *planted, c *store.Commit) {
		if c.Forget {
			for _, ref := range s.tokens(context.Background(), c.Entry.Integration) {
				c.Claim = append(c.Claim, store.Claim{Digest: ref.Digest})
			}
		}
	})},
	{"Forget forgets what comes with it", "Forget/keeps what comes with it", editing(func(s *planted, c *store.Commit) {
		if c.Forget {
			c.Claim = nil
		}
	})},
	{"Forget leaves no base", "Forget/makes its record the base of what follows", func(s *planted) {
		var trimmed sync.Map
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			trimmed.Store(integration, true)
			return s.sound.Trim(ctx, integration, through, base)
		}
		s.load = func(ctx context.Context, integration string) (store.Stored, error) {
			stored, err := s.sound.Load(ctx, integration)
			if _, ok := trimmed.Load(integration); !ok {
				stored.Base, stored.BaseVersion = nil, 0
			}
			return stored, err
		}
	}},
	{"Forget counts as trimmed", "Forget/is passed over by readers of the journal", func(s *planted) {
		var forgotten atomic.Uint64
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			if c.Forget && err == nil {
				forgotten.Store(uint64(r.Entry.Position) - 1)
			}
			return r, err
		}
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			if uint64(after) < forgotten.Load() {
				return yielding(func() ([]store.Entry, error) { return nil, store.ErrTrimmed })
			}
			return s.sound.Journal(ctx, after)
		}
	}},
	{"Forget forgets the nameless entries too", "Forget/leaves all other integrations alone", following(func(ctx context.Context, s *planted, c store.Commit, err error) {
		if _, last, _ := s.sound.Bounds(ctx); c.Forget && err == nil {
			s.sound.Trim(ctx, "", uint64(last), nil)
		}
	})},
}
