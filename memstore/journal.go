package memstore

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/keyrack-dev/keyrack/store"
)

// entry is one entry of the journal. Its owner is nil once it has been removed; then
// only its position is left.
type entry struct {
	store.Entry
	owner  *integration
	body   []byte // sealed
	record []byte // the owner's after this entry, which becomes its base with Trim
}

func (e *entry) gone() bool { return e.owner == nil }

// receipt returns the receipt of the commit that brought e. Its slices are not cloned.
func (e *entry) receipt(repeated bool) store.Committed {
	return store.Committed{Version: e.Version, Entry: e.Entry, Repeated: repeated}
}

// journal holds all entries by position. The first of them is not removed; others may
// be, until they are packed.
type journal struct {
	entries []*entry
	gone    int
	last    store.Position // of the newest entry there ever was
	trimmed store.Position // of the newest entry that Trim or the limit removed
}

// append gives e its position, enters it everywhere, and removes what exceeds the
// limit.
func (s *Store) append(e *entry) {
	j := &s.journal
	j.last++
	e.Position = j.last
	j.entries = append(j.entries, e)
	e.owner.history = append(e.owner.history, e)
	s.entries[e.ID] = e
	for len(j.entries)-j.gone > s.limit {
		// The oldest entry of all is also the oldest of its integration.
		oldest := j.entries[0]
		s.trim(oldest.owner, 1, oldest.Version, oldest.record)
	}
}

// drop removes e from the journal, but not from its integration's history.
func (s *Store) drop(e *entry) {
	delete(s.entries, e.ID)
	*e = entry{Entry: store.Entry{Position: e.Position}}
	j := &s.journal
	j.gone++
	for len(j.entries) > 0 && j.entries[0].gone() {
		j.entries[0] = nil
		j.entries = j.entries[1:]
		j.gone--
	}
	if j.gone > len(j.entries)/2 {
		j.entries = slices.DeleteFunc(j.entries, (*entry).gone)
		j.gone = 0
	}
}

// Journal yields all entries after a position. It reads them in pages.
func (s *Store) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return s.follow(ctx, after, func(after store.Position) ([]*entry, error) {
		if after < s.journal.trimmed {
			return nil, store.ErrTrimmed
		}
		return s.journal.entries, nil
	})
}

// History yields the remaining entries of one integration, oldest first, after one of them.
func (s *Store) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		s.follow(ctx, s.placeOf(integration, after), func(store.Position) ([]*entry, error) {
			if in := s.owning(integration); in != nil {
				return in.history, nil
			}
			return nil, nil
		})(yield)
	}
}

// owning returns the integration with an id, or nil; what belongs to none for "". The lock
// is held.
func (s *Store) owning(id string) *integration {
	if id == "" {
		return s.nameless
	}
	return s.integrations[id]
}

// placeOf returns the position of an entry of an integration, or 0.
func (s *Store) placeOf(integration string, id store.EntryID) store.Position {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.entries[id]; e != nil && e.owner == s.owning(integration) {
		return e.Position
	}
	return 0
}

// pageSize is how many entries are copied, without their bytes, under one lock.
const pageSize = 128

// follow yields the entries that of returns after a position, up to the newest entry
// when it begins. It calls of under the lock, and yields without it.
func (s *Store) follow(ctx context.Context, after store.Position, of func(after store.Position) ([]*entry, error)) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		after := after // each range begins anew
		_, until, err := s.Bounds(ctx)
		for err == nil && after < until {
			var page []store.Entry
			s.mu.RLock()
			entries, e := of(after)
			if err = e; err == nil {
				page = copyPage(entries, after, until)
			}
			s.mu.RUnlock()
			if err == nil && len(page) == 0 {
				return
			}
			for _, e := range page {
				if err = ctx.Err(); err != nil {
					break
				}
				if !yield(cloneEntry(e), nil) {
					return
				}
				after = e.Position
			}
		}
		if err != nil {
			yield(store.Entry{}, err)
		}
	}
}

// copyPage returns the first entries after one position, up to another.
func copyPage(entries []*entry, after, until store.Position) []store.Entry {
	first, found := slices.BinarySearchFunc(entries, after, func(e *entry, p store.Position) int {
		return cmp.Compare(e.Position, p)
	})
	if found {
		first++
	}
	page := make([]store.Entry, 0, min(pageSize, len(entries)-first))
	for _, e := range entries[first:] {
		if e.Position > until || len(page) == pageSize {
			break
		}
		if !e.gone() {
			page = append(page, e.Entry)
		}
	}
	return page
}

// Bounds returns the first position from which Journal can be followed, and the
// position of the newest entry.
func (s *Store) Bounds(ctx context.Context) (first, last store.Position, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.journal.trimmed, s.journal.last, nil
}

// Annotate notes how deliveries were answered.
func (s *Store) Annotate(ctx context.Context, annotations ...store.Annotation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range annotations {
		if e := s.entries[a.ID]; e != nil {
			e.Response = a.Response
		}
	}
	return nil
}
