package storetest

import (
	"context"
	"runtime"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// apart commits what goes together one after the other: first is called with the commit
// alone, and what went with it.
func apart(first func(ctx context.Context, s *planted, c, with store.Commit) (store.Committed, error)) func(*planted) {
	return func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			if c.With == nil || c.Check() != nil {
				return s.sound.Commit(ctx, c)
			}
			with := *c.With
			c.With = nil
			return first(ctx, s, c, with)
		}
	}
}

// withFaults are those of a commit of two integrations.
var withFaults = []fault{
	{"the other integration gets another record", "With/changes both integrations in one commit, and a digest goes from one to the other", apart(func(ctx context.Context, s *planted, c, with store.Commit) (store.Committed, error) {
		disowned := with
		disowned.Disown, disowned.Record = with.Disown, []byte("gone")
		s.sound.Commit(ctx, disowned)
		return s.sound.Commit(ctx, c)
	})},
	{"what goes with a commit happens though that is refused", "With/is refused as a whole", apart(func(ctx context.Context, s *planted, c, with store.Commit) (store.Committed, error) {
		if _, err := s.sound.Commit(ctx, with); err != nil {
			return store.Committed{}, err
		}
		return s.sound.Commit(ctx, c)
	})},
	{"what goes with a commit may be anything", "With/that contradicts itself is ErrInvalid and changes nothing", editing(func(s *planted, c *store.Commit) {
		if c.With != nil && c.Check() != nil {
			c.With = nil
			for i := range c.Claim {
				c.Claim[i].Digest = lifecycle.Digest{1}
			}
		}
	})},
	{"a repetition repeats what went with it", "With/repeated changes nothing and returns the first result", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			if c.With != nil && r.Repeated {
				with := *c.With
				with.Entry.ID, with.Expect = store.NewEntryID(time.Now()), s.version(ctx, with.Entry.Integration)
				s.sound.Commit(ctx, with)
			}
			return r, err
		}
	}},
	{"a digest has no owner for a moment", "With/by many at once has one winner, and the digest an owner at any time", apart(func(ctx context.Context, s *planted, c, with store.Commit) (store.Committed, error) {
		if _, err := s.sound.Commit(ctx, with); err != nil {
			return store.Committed{}, err
		}
		for range 100 {
			runtime.Gosched()
		}
		time.Sleep(time.Millisecond)
		return s.sound.Commit(ctx, c)
	})},
}
