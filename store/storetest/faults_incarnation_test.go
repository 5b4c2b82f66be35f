package storetest

import (
	"context"
	"iter"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// incarnationFaults are those of histories that are taken for one another.
var incarnationFaults = []fault{
	{"the version goes by its number alone", "Commit/after another entry than the one that made the version is ErrConflict and changes nothing", editing(func(s *planted, c *store.Commit) {
		c.After = store.EntryID{}
	})},
	{"a commit in steps forgets the entry", "Commit/after another entry than the one that made the version is ErrConflict and changes nothing", editing(func(s *planted, c *store.Commit) {
		if c.Forget || c.EraseBodies {
			c.After = store.EntryID{}
		}
	})},
	{"an entry that is gone is not compared", "Commit/after an entry that was trimmed or forgotten goes by that entry all the same", editing(func(s *planted, c *store.Commit) {
		if all, _ := collect(s.sound.History(context.Background(), c.Entry.Integration, store.EntryID{})); len(all) == 0 {
			c.After = store.EntryID{}
		}
	})},
	{"the last entry is that of the history", "Commit/after an entry that was trimmed or forgotten goes by that entry all the same", func(s *planted) {
		s.load = func(ctx context.Context, integration string) (store.Stored, error) {
			stored, err := s.sound.Load(ctx, integration)
			stored.Last = store.EntryID{}
			for e := range s.sound.History(ctx, integration, store.EntryID{}) {
				stored.Last = e.ID
			}
			return stored, err
		}
	}},
	{"the entry is compared before the commit begins", "Commit/after an entry, by many at once, succeeds once", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			stored, err := s.sound.Load(ctx, c.Entry.Integration)
			if err == nil && !c.After.IsZero() && stored.Last == c.After {
				time.Sleep(time.Millisecond)
				c.Expect, c.After = s.version(ctx, c.Entry.Integration), store.EntryID{}
			}
			return s.sound.Commit(ctx, c)
		}
	}},
	{"a repetition is answered by reading", "Commit/that is repeated waits as the first did", func(s *planted) { s.unconfirmed = true }},
	{"all stores have one incarnation", "Incarnation/stays the same, and is no other store's", func(s *planted) {
		s.incarnation = func(context.Context) (string, error) { return "keyrack", nil }
	}},
	{"each look finds another incarnation", "Incarnation/stays the same, and is no other store's", func(s *planted) {
		s.incarnation = func(ctx context.Context) (string, error) {
			err := s.sound.Renew(ctx)
			name, _ := s.sound.Incarnation(ctx)
			return name, err
		}
	}},
	{"the incarnation begins with the process", "Incarnation/survives, and is shared", func(s *planted) {
		s.reopened = func() store.Store { _ = s.sound.Renew(context.Background()); return s }
	}},
	{"each process has an incarnation of its own", "Incarnation/survives, and is shared", func(s *planted) {
		s.joined = func() store.Store { return newPlanted() }
	}},
	{"Renew does nothing", "Renew/makes another incarnation each time, and changes nothing else", func(s *planted) {
		s.renew = func(ctx context.Context) error { return ctx.Err() }
	}},
	{"Renew switches between two", "Renew/makes another incarnation each time, and changes nothing else", func(s *planted) {
		names, at := [2]string{"one", "two"}, 0
		s.incarnation = func(context.Context) (string, error) { return names[at], nil }
		s.renew = func(context.Context) error { at = 1 - at; return nil }
	}},
	{"Renew begins an empty store", "Renew/makes another incarnation each time, and changes nothing else", func(s *planted) {
		s.renew = func(ctx context.Context) error {
			s.scan = func(context.Context, string) iter.Seq2[store.Stored, error] {
				return func(func(store.Stored, error) bool) {}
			}
			return s.sound.Renew(ctx)
		}
	}},
}
