package memstore

import (
	"context"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Commit applies c.
func (s *Store) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if err := ctx.Err(); err != nil {
		return store.Committed{}, err
	}
	if err := c.Check(); err != nil {
		return store.Committed{}, err
	}
	// Values to keep are copied before the lock is taken.
	e := newEntry(&c)
	var with *entry
	if c.With != nil {
		with = newEntry(c.With)
	}
	receipt, err := s.commit(&c, e, with)
	receipt.Entry = cloneEntry(receipt.Entry)
	return receipt, err
}

func newEntry(c *store.Commit) *entry {
	return &entry{Entry: cloneEntry(c.Entry), body: clone(c.Body), record: clone(c.Record)}
}

// commit checks everything before it changes anything. The caller must clone the
// receipt's slices.
func (s *Store) commit(c *store.Commit, e, with *entry) (store.Committed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.entries[e.ID]; old != nil {
		return old.receipt(true), nil
	}
	if with != nil {
		if s.entries[with.ID] != nil {
			return store.Committed{}, store.ErrConflict
		}
		if err := s.admit(c.With); err != nil {
			return store.Committed{}, err
		}
	}
	if err := s.admit(c); err != nil {
		return store.Committed{}, err
	}
	if with != nil {
		s.apply(c.With, with)
	}
	s.apply(c, e)
	return e.receipt(false), nil
}

// apply makes the changes of a commit that was admitted.
func (s *Store) apply(c *store.Commit, e *entry) {
	in := s.nameless
	if e.Integration != "" {
		if in = s.integrations[e.Integration]; in == nil {
			in = s.create(e.Integration)
		}
	}
	switch {
	case c.Forget:
		s.forget(in)
		in.base, in.baseVersion = e.record, c.Expect+1
	case c.EraseBodies:
		for _, earlier := range in.history {
			earlier.body = nil
		}
	}
	for _, d := range c.Disown {
		s.disown(in, d)
	}
	for _, claim := range c.Claim {
		s.claim(in, claim)
	}
	e.owner, e.Integration, e.Version = in, in.id, 0
	if in != s.nameless {
		e.Version = c.Expect + 1
		in.version, in.last, in.record = e.Version, e.ID, e.record
	}
	s.append(e)
}

// admit returns ErrConflict or ErrOwned if the commit must not be applied.
func (s *Store) admit(c *store.Commit) error {
	if c.Entry.Integration == "" {
		return nil
	}
	in := s.integrations[c.Entry.Integration] // nil if it does not exist
	var version uint64
	var last store.EntryID
	if in != nil {
		version, last = in.version, in.last
	}
	if version != c.Expect || !c.After.IsZero() && c.After != last {
		return store.ErrConflict
	}
	for _, claim := range c.Claim {
		if k := s.keys[claim.Digest]; k != nil && k.owner != in && !givesUp(c.With, k.owner.id, claim.Digest) {
			return &store.OwnedError{Digest: claim.Digest, Owner: k.owner.id}
		}
	}
	return nil
}

// givesUp reports whether a commit disowns a digest of an integration.
func givesUp(with *store.Commit, owner string, d lifecycle.Digest) bool {
	return with != nil && with.Entry.Integration == owner && slices.Contains(with.Disown, d)
}

func (s *Store) create(id string) *integration {
	// A copy, so that the id does not keep the string alive that it was cut from.
	in := &integration{id: strings.Clone(id)}
	s.integrations[in.id] = in
	s.order.fresh = append(s.order.fresh, in.id)
	return in
}

// forget removes the entries and the digests of in.
func (s *Store) forget(in *integration) {
	for _, e := range in.history {
		s.drop(e)
	}
	in.history = nil
	for _, k := range in.keys {
		delete(s.keys, k.digest)
	}
	in.keys = nil
}
