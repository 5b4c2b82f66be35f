package storetest

import (
	"context"
	"iter"
	"sync"

	"github.com/keyrack-dev/keyrack/store"
)

// trimFaults are those of Trim, and of who reads meanwhile.
var trimFaults = []fault{
	{"Trim leaves the last entry", "Trim/removes the entries up to a version, and their bodies", func(s *planted) {
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			return s.sound.Trim(ctx, integration, max(through, 1)-1, base)
		}
	}},
	{"Trim leaves the bodies", "Trim/removes the entries up to a version, and their bodies", func(s *planted) {
		left := s.leftovers()
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			left.keep(ctx, s, s.bodies(ctx, integration)...)
			return s.sound.Trim(ctx, integration, through, base)
		}
	}},
	{"Trim loses the base", "Trim/keeps the base from which the rest folds", func(s *planted) {
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			return s.sound.Trim(ctx, integration, through, nil)
		}
	}},
	{"Trim erases the tokens", "Trim/keeps record, version, digests and tokens", func(s *planted) {
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			s.sound.Shred(ctx, s.tokens(ctx, integration)...)
			return s.sound.Trim(ctx, integration, through, base)
		}
	}},
	{"the base moves back", "Trim/does nothing where a later base is kept", func(s *planted) {
		var bases sync.Map
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			bases.Store(integration, store.Stored{Base: base, BaseVersion: through})
			return s.sound.Trim(ctx, integration, through, base)
		}
		s.load = func(ctx context.Context, integration string) (store.Stored, error) {
			stored, err := s.sound.Load(ctx, integration)
			if base, ok := bases.Load(integration); ok && err == nil {
				stored.Base, stored.BaseVersion = base.(store.Stored).Base, base.(store.Stored).BaseVersion
			}
			return stored, err
		}
	}},
	{"Trim does nothing up to the base", "Trim/removes the entry that came with Forget like any other", func(s *planted) {
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			if stored, err := s.sound.Load(ctx, integration); err == nil && through <= stored.BaseVersion {
				return nil
			}
			return s.sound.Trim(ctx, integration, through, base)
		}
	}},
	{"Trim takes any version", "Trim/of a version that was not reached is ErrInvalid, of no integration ErrNotFound", func(s *planted) {
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			if integration != "" {
				through = min(through, s.version(ctx, integration))
			}
			return s.sound.Trim(ctx, integration, through, base)
		}
	}},
	{"Trim trims all", "Trim/leaves all other integrations alone", func(s *planted) {
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			for in := range s.sound.Scan(ctx, "") {
				s.sound.Trim(ctx, in.Integration, min(in.Version, through), base)
			}
			return s.sound.Trim(ctx, integration, through, base)
		}
	}},
	{"nameless entries are trimmed by their number", "Trim/of the entries without an integration goes by position", func(s *planted) {
		s.trim = func(ctx context.Context, integration string, through uint64, base []byte) error {
			if all, _ := collect(s.sound.History(ctx, "", store.EntryID{})); integration == "" && len(all) > 0 {
				through = uint64(all[min(max(int(through), 1), len(all))-1].Position)
			}
			return s.sound.Trim(ctx, integration, through, base)
		}
	}},
	{"a gap is passed over", "Trim/makes every earlier position ErrTrimmed, and no other", func(s *planted) {
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			first, _, _ := s.sound.Bounds(ctx)
			return s.sound.Journal(ctx, max(after, first))
		}
	}},
	{"an overtaken journal ends", "Journal/that Trim overtakes is complete or ends with ErrTrimmed", func(s *planted) {
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			return func(yield func(store.Entry, error) bool) {
				begun := false
				for e, err := range s.sound.Journal(ctx, after) {
					if begun && err != nil || !yield(e, err) {
						return
					}
					begun = true
				}
			}
		}
	}},
}
