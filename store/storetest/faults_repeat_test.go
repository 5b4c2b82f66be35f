package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// repeatFaults are those of commits that come twice.
var repeatFaults = []fault{
	{"a repetition is applied again", "Commit/that is repeated changes nothing and returns the first result", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			if r.Repeated {
				c.Entry.ID, c.Expect, c.Claim = store.NewEntryID(time.Now()), s.version(ctx, c.Entry.Integration), nil
				s.sound.Commit(ctx, c)
			}
			return r, err
		}
	}},
	{"a repetition returns the newest result", "Commit/that is repeated changes nothing and returns the first result", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			if r.Repeated && r.Version > 0 {
				r.Version = s.version(ctx, c.Entry.Integration)
			}
			return r, err
		}
	}},
	{"a repetition does not say so", "Commit/that is repeated changes nothing and returns the first result", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			r.Repeated = false
			return r, err
		}
	}},
	{"the version is checked before the entry id", "Commit/that is repeated is told by the entry id alone", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			if r, err := receipt(ctx, s.sound, c.Entry.ID); err == nil && c.Expect+1 != r.Version {
				return store.Committed{}, store.ErrConflict
			}
			return s.sound.Commit(ctx, c)
		}
	}},
	{"refused ids are remembered", "Commit/that was refused leaves its id as good as new", func(s *planted) {
		var refused sync.Map
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			if _, ok := refused.Load(c.Entry.ID); ok {
				return store.Committed{}, store.ErrConflict
			}
			r, err := s.sound.Commit(ctx, c)
			if err != nil {
				refused.Store(c.Entry.ID, true)
			}
			return r, err
		}
	}},
	{"ids of trimmed entries are remembered", "Commit/that is repeated after its entry was trimmed or forgotten is ErrConflict", func(s *planted) {
		var receipts sync.Map
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			if err == nil {
				receipts.Store(c.Entry.ID, r)
			} else if first, ok := receipts.Load(c.Entry.ID); ok {
				return first.(store.Committed), nil
			}
			return r, err
		}
	}},
	{"a repetition of what is under way is applied again", "Commit/that is repeated by many at once happens once", func(s *planted) {
		var underWay sync.Map
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			_, repeated := underWay.LoadOrStore(c.Entry.ID, true)
			time.Sleep(100 * time.Microsecond)
			r, err := s.sound.Commit(ctx, c)
			if repeated && r.Repeated && r.Version == s.version(ctx, c.Entry.Integration) {
				c.Entry.ID, c.Expect = store.NewEntryID(time.Now()), r.Version
				return s.sound.Commit(ctx, c)
			}
			underWay.Delete(c.Entry.ID)
			return r, err
		}
	}},
	{"a commit that was cut off is not known by its id", "Commit/that was cut off is settled by its repetition", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			time.Sleep(100 * time.Microsecond)
			if ctx.Err() != nil {
				c.Entry.ID = store.NewEntryID(time.Now())
				s.sound.Commit(context.WithoutCancel(ctx), c)
				return store.Committed{}, ctx.Err()
			}
			return s.sound.Commit(ctx, c)
		}
	}},
	{"a commit that was cut off is applied to whatever is there by then", "Commit/that was cut off and is given up may be followed by another", func(s *planted) {
		var late sync.Map // by integration: what was cut off last
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			time.Sleep(100 * time.Microsecond)
			r, err := s.sound.Commit(ctx, c)
			if err != nil && ctx.Err() != nil {
				late.Store(c.Entry.Integration, c)
			} else if cut, ok := late.LoadAndDelete(c.Entry.Integration); err == nil && ok {
				cut := cut.(store.Commit)
				cut.Expect = r.Version
				s.sound.Commit(ctx, cut)
			}
			return r, err
		}
	}},
}
