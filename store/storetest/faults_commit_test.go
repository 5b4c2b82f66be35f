package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// version returns the version that an integration has, 0 for none.
func (s *planted) version(ctx context.Context, integration string) uint64 {
	stored, _ := s.sound.Load(ctx, integration)
	return stored.Version
}

// editing plants a change of every commit before it happens.
func editing(edit func(s *planted, c *store.Commit)) func(*planted) {
	return func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			edit(s, &c)
			return s.sound.Commit(ctx, c)
		}
	}
}

// following plants something that happens after every commit.
func following(f func(ctx context.Context, s *planted, c store.Commit, err error)) func(*planted) {
	return func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			f(ctx, s, c, err)
			return r, err
		}
	}
}

// commitFaults are those of a single commit.
var commitFaults = []fault{
	{"the version does not rise after the second", "Commit/leaves the integration at the next version with the new record", func(s *planted) {
		s.load = func(ctx context.Context, integration string) (store.Stored, error) {
			stored, err := s.sound.Load(ctx, integration)
			stored.Version = min(stored.Version, 2)
			return stored, err
		}
	}},
	{"the version check is skipped", "Commit/at another version than the expected one is ErrConflict and changes nothing", editing(func(s *planted, c *store.Commit) {
		if c.Entry.Integration != "" {
			c.Expect = s.version(context.Background(), c.Entry.Integration)
		}
	})},
	{"a greater expected version will do", "Commit/at another version than the expected one is ErrConflict and changes nothing", editing(func(s *planted, c *store.Commit) {
		if version := s.version(context.Background(), c.Entry.Integration); c.Expect > version {
			c.Expect = version
		}
	})},
	{"a conflict changes the record all the same", "Commit/at another version than the expected one is ErrConflict and changes nothing", following(func(ctx context.Context, s *planted, c store.Commit, err error) {
		if errors.Is(err, store.ErrConflict) {
			c.Expect, c.Entry.ID = s.version(ctx, c.Entry.Integration), store.NewEntryID(time.Now())
			s.sound.Commit(ctx, c)
		}
	})},
	{"a conflict leaves an integration behind", "Load/shows no integration whose commits were all refused", following(func(ctx context.Context, s *planted, c store.Commit, err error) {
		if errors.Is(err, store.ErrConflict) && s.version(ctx, c.Entry.Integration) == 0 {
			s.sound.Commit(ctx, store.Commit{Entry: store.Entry{ID: store.NewEntryID(time.Now()), Integration: c.Entry.Integration}})
		}
	})},
	{"bodies are erased before the version is checked", "Commit/that is refused erases nothing", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			if c.EraseBodies || c.Forget {
				all, _ := collect(s.sound.History(ctx, c.Entry.Integration, store.EntryID{}))
				for _, e := range all {
					s.sound.Shred(ctx, store.Ref{Entry: e.ID})
				}
			}
			return s.sound.Commit(ctx, c)
		}
	}},
	{"a digest may be named twice", "Commit/that contradicts itself is ErrInvalid and changes nothing", editing(func(s *planted, c *store.Commit) {
		for len(c.Claim) > 0 && c.Check() != nil {
			c.Claim = c.Claim[1:]
		}
	})},
	{"entries without an integration belong to one", "Commit/without an integration is an entry and a body alone", editing(func(s *planted, c *store.Commit) {
		if c.Entry.Integration == "" && c.Check() == nil {
			c.Entry.Integration = "nameless"
			c.Expect = s.version(context.Background(), "nameless")
		}
	})},
	{"broken UTF-8 is mended", "Commit/keeps what it does not understand, byte for byte", editing(func(s *planted, c *store.Commit) {
		c.Record = bytes.ToValidUTF8(c.Record, []byte("\ufffd"))
	})},
	{"space around a decision is lost", "Commit/keeps what it does not understand, byte for byte", editing(func(s *planted, c *store.Commit) {
		c.Entry.Decision = bytes.TrimSpace(c.Entry.Decision)
	})},
	{"times are kept in milliseconds", "Commit/keeps every field of the entry but position and version", editing(func(s *planted, c *store.Commit) {
		c.Entry.At = c.Entry.At / 1000 * 1000
	})},
	{"an answer that comes with the entry is lost", "Commit/keeps every field of the entry but position and version", editing(func(s *planted, c *store.Commit) {
		c.Entry.Response = store.Response{}
	})},
	{"ids are compared without their spaces", "Commit/touches no other integration", editing(func(s *planted, c *store.Commit) {
		c.Entry.Integration = strings.TrimSpace(c.Entry.Integration)
	})},
	{"EraseBodies erases all bodies", "Commit/touches no other integration", following(func(ctx context.Context, s *planted, c store.Commit, err error) {
		if c.EraseBodies && err == nil {
			for ref := range s.sound.ScanSealed(ctx) {
				if ref != body(c) && !ref.Entry.IsZero() {
					s.sound.Shred(ctx, ref)
				}
			}
		}
	})},
}
