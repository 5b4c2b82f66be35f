package memstore

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/store"
)

// sealed returns the place of a sealed value, or nil if there is no such place.
func (s *Store) sealed(ref store.Ref) *[]byte {
	switch ref.Kind() {
	case store.RefNamed:
		return s.named[ref.Name]
	case store.RefToken:
		if k := s.keys[ref.Digest]; k != nil && k.owner.id == ref.Integration {
			return &k.sealed
		}
	case store.RefBody:
		if e := s.entries[ref.Entry]; e != nil {
			return &e.body
		}
	}
	return nil
}

// Sealed returns a sealed value, or ErrNotFound.
func (s *Store) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var value []byte
	s.mu.RLock()
	if place := s.sealed(ref); place != nil {
		value = *place
	}
	s.mu.RUnlock()
	if len(value) == 0 {
		return nil, store.ErrNotFound
	}
	return clone(value), nil
}

// ScanSealed yields the addresses of all sealed values: tokens, bodies, names. It may
// or may not include values that are added meanwhile.
func (s *Store) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return func(yield func(store.Ref, error) bool) {
		var refs []store.Ref
		flush := func() bool {
			for _, ref := range refs {
				if !yield(ref, nil) {
					return false
				}
			}
			refs = refs[:0]
			return true
		}
		for _, id := range s.sortedIDs() {
			s.mu.RLock()
			for _, k := range s.integrations[id].keys {
				if k.sealed != nil {
					refs = append(refs, store.Ref{Integration: id, Digest: k.digest})
				}
			}
			s.mu.RUnlock()
			if ctx.Err() != nil {
				break
			}
			if !flush() {
				return
			}
		}
		s.mu.RLock()
		for _, e := range s.journal.entries {
			if e.body != nil {
				refs = append(refs, store.Ref{Entry: e.ID})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.named)) {
			refs = append(refs, store.Ref{Name: name})
		}
		s.mu.RUnlock()
		if err := ctx.Err(); err != nil {
			yield(store.Ref{}, err)
			return
		}
		flush()
	}
}

// Names yields the names that begin with a prefix, in byte order.
func (s *Store) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := ctx.Err(); err != nil {
			yield("", err)
			return
		}
		var names []string
		s.mu.RLock()
		for name := range s.named {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		s.mu.RUnlock()
		slices.Sort(names)
		for _, name := range names {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// Reseal replaces a sealed value if it still equals old.
func (s *Store) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(new) == 0 {
		return store.ErrInvalid
	}
	new = clone(new)
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.sealed(ref)
	switch {
	case place != nil && len(*place) > 0 && bytes.Equal(*place, old):
		*place = new
	case place == nil && len(old) == 0 && ref.Kind() == store.RefNamed:
		s.named[strings.Clone(ref.Name)] = &new
	}
	return nil
}

// Shred erases sealed values.
func (s *Store) Shred(ctx context.Context, refs ...store.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ref := range refs {
		if place := s.sealed(ref); place != nil {
			*place = nil
			delete(s.named, ref.Name)
		}
	}
	return nil
}
