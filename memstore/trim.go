package memstore

import (
	"context"

	"github.com/keyrack-dev/keyrack/store"
)

// Trim removes the entries of an integration up to a version, and keeps base.
func (s *Store) Trim(ctx context.Context, integration string, through uint64, base []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	base = clone(base)
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.nameless; integration == "" {
		n := countTo(in.history, func(e *entry) uint64 { return uint64(e.Position) }, through)
		s.trim(in, n, 0, nil)
		return nil
	}
	in := s.integrations[integration]
	if in == nil {
		return store.ErrNotFound
	}
	if through > in.version {
		return store.ErrInvalid
	}
	n := countTo(in.history, func(e *entry) uint64 { return e.Version }, through)
	s.trim(in, n, through, base)
	return nil
}

// trim removes the first n entries of in, and makes base its base unless a later one is
// kept.
func (s *Store) trim(in *integration, n int, version uint64, base []byte) {
	for i, e := range in.history[:n] {
		s.journal.trimmed = max(s.journal.trimmed, e.Position)
		s.drop(e)
		in.history[i] = nil
	}
	in.history = in.history[n:]
	if len(in.history) == 0 {
		in.history = nil // the array goes with the last entry
	}
	if version > in.baseVersion {
		in.base, in.baseVersion = base, version
	}
}

// countTo returns how many entries lead up to through, which is a version or a
// position.
func countTo(entries []*entry, number func(*entry) uint64, through uint64) int {
	for i, e := range entries {
		if number(e) > through {
			return i
		}
	}
	return len(entries)
}
