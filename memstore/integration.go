package memstore

import (
	"context"
	"iter"
	"slices"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// integration is what is kept about one integration. It is never removed.
type integration struct {
	id          string
	version     uint64
	last        store.EntryID // made that version
	record      []byte
	base        []byte
	baseVersion uint64
	history     []*entry // its entries in the journal, oldest first
	keys        []*key
}

// key is a digest with its owner and its sealed token, nil for none.
type key struct {
	digest lifecycle.Digest
	owner  *integration
	sealed []byte
}

// stored returns the integration, in slices that the caller must clone.
func (in *integration) stored() store.Stored {
	return store.Stored{
		Integration: in.id, Version: in.version, Last: in.last, Record: in.record,
		Base: in.base, BaseVersion: in.baseVersion,
	}
}

// Load returns an integration, or ErrNotFound.
func (s *Store) Load(ctx context.Context, integration string) (store.Stored, error) {
	if err := ctx.Err(); err != nil {
		return store.Stored{}, err
	}
	s.mu.RLock()
	in := s.integrations[integration]
	if in == nil {
		s.mu.RUnlock()
		return store.Stored{}, store.ErrNotFound
	}
	stored := in.stored()
	s.mu.RUnlock()
	stored.Record, stored.Base = clone(stored.Record), clone(stored.Base)
	return stored, nil
}

// Scan yields all integrations whose id is greater than after, each as it is when its
// turn comes. It does not include those that were created after it began.
func (s *Store) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return func(yield func(store.Stored, error) bool) {
		ids := s.sortedIDs()
		next, found := slices.BinarySearch(ids, after)
		if found {
			next++
		}
		for _, id := range ids[next:] {
			stored, err := s.Load(ctx, id)
			if !yield(stored, err) || err != nil {
				return
			}
		}
		// A context that has ended is reported even if there was nothing to yield.
		if err := ctx.Err(); err != nil {
			yield(store.Stored{}, err)
		}
	}
}

// Owner returns the integration that owns a digest, or ErrNotFound.
func (s *Store) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k := s.keys[d]; k != nil {
		return k.owner.id, nil
	}
	return "", store.ErrNotFound
}

// claim makes in the owner of the digest, which belongs to no other integration.
func (s *Store) claim(in *integration, c store.Claim) {
	k := s.keys[c.Digest]
	if k == nil {
		k = &key{digest: c.Digest, owner: in}
		s.keys[c.Digest] = k
		in.keys = append(in.keys, k)
	}
	if len(c.Sealed) > 0 {
		k.sealed = clone(c.Sealed)
	}
}

// disown frees the digest if in owns it.
func (s *Store) disown(in *integration, d lifecycle.Digest) {
	if k := s.keys[d]; k != nil && k.owner == in {
		delete(s.keys, d)
		in.keys = slices.DeleteFunc(in.keys, func(other *key) bool { return other == k })
	}
}

// order keeps the ids of all integrations sorted, as far as they were asked for. Both
// slices only grow at the end or are replaced.
type order struct {
	sorted []string
	fresh  []string // those that were added since, in no order
}

// sortedIDs returns the ids of all integrations in byte order. The slice is shared and
// must not be changed.
func (s *Store) sortedIDs() []string {
	s.mu.RLock()
	sorted, fresh := s.order.sorted, s.order.fresh
	s.mu.RUnlock()
	if len(fresh) == 0 {
		return sorted
	}
	merged := merge(sorted, slices.Sorted(slices.Values(fresh)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order.sorted) == len(sorted) { // or another goroutine was faster
		s.order = order{sorted: merged, fresh: slices.Clone(s.order.fresh[len(fresh):])}
	}
	return merged
}

// merge returns the elements of a and b, both sorted, in order.
func merge(a, b []string) []string {
	out := make([]string, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
