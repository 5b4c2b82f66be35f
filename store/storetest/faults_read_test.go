package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/store"
)

// yielding returns an iterator over what f returns.
func yielding[T any](f func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		all, err := f()
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// rescan plants a change of what Scan yields.
func rescan(f func(after string, all []store.Stored) []store.Stored) func(*planted) {
	return func(s *planted) {
		s.scan = func(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
			return yielding(func() ([]store.Stored, error) {
				all, err := collect(s.sound.Scan(ctx, ""))
				return f(after, all), err
			})
		}
	}
}

func greater(after string, all []store.Stored) []store.Stored {
	return slices.DeleteFunc(all, func(s store.Stored) bool { return s.Integration <= after })
}

// readFaults are those of Load and Scan.
var readFaults = []fault{
	{"Load finds what is not there", "Load/of an integration that is not there is ErrNotFound", func(s *planted) {
		s.load = func(ctx context.Context, integration string) (store.Stored, error) {
			stored, err := s.sound.Load(ctx, integration)
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return stored, err
		}
	}},
	{"Scan goes by the alphabet", "Scan/yields every integration once, in byte order of their ids", rescan(func(after string, all []store.Stored) []store.Stored {
		all = greater(after, all)
		slices.SortStableFunc(all, func(a, b store.Stored) int {
			return strings.Compare(strings.ToLower(a.Integration), strings.ToLower(b.Integration))
		})
		return all
	})},
	{"Scan begins with the id itself", "Scan/goes on after an id, there or not", rescan(func(after string, all []store.Stored) []store.Stored {
		return slices.DeleteFunc(all, func(s store.Stored) bool { return s.Integration < after })
	})},
	{"Scan skips one", "Scan/goes on after an id, there or not", rescan(func(after string, all []store.Stored) []store.Stored {
		all = greater(after, all)
		if after != "" && len(all) > 0 {
			all = all[1:]
		}
		return all
	})},
	{"Scan goes by page numbers", "Scan/misses nothing that was there when it began, whatever comes meanwhile", func(s *planted) {
		s.scan = func(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
			return func(yield func(store.Stored, error) bool) {
				for done := 0; ; {
					all, err := collect(s.sound.Scan(ctx, after))
					if err != nil {
						yield(store.Stored{}, err)
						return
					}
					if done >= len(all) {
						return
					}
					for _, stored := range all[done:min(done+10, len(all))] {
						if !yield(stored, nil) {
							return
						}
						done++
					}
				}
			}
		}
	}},
	{"Scan leaves out the base", "Scan/shows each integration as Load does", rescan(func(after string, all []store.Stored) []store.Stored {
		for i := range all {
			all[i].Base = nil
		}
		return greater(after, all)
	})},
}
