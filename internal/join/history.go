package join

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/keyrack-dev/keyrack/store"
)

// History yields the entries of one integration after one of them, or all if that is zero or
// gone, whatever spelling of its id they stand under, in the order of arrival. An iteration
// ends at its first error.
func History(ctx context.Context, s store.Store, id string, after store.EntryID, spellings ...string) iter.Seq2[store.Entry, error] {
	if len(spellings) == 0 {
		return s.History(ctx, id, after)
	}
	return func(yield func(store.Entry, error) bool) {
		var all []store.Entry
		for _, one := range append([]string{id}, spellings...) {
			for e, err := range s.History(ctx, one, store.EntryID{}) {
				if err != nil {
					yield(e, err)
					return
				}
				all = append(all, e)
			}
		}
		slices.SortStableFunc(all, func(a, b store.Entry) int { return cmp.Compare(a.At, b.At) })
		begin := 1 + slices.IndexFunc(all, func(e store.Entry) bool { return e.ID == after })
		for _, e := range all[begin:] {
			if !yield(e, nil) {
				return
			}
		}
	}
}
