package testkit

import (
	"cmp"
	"slices"
)

// Median returns the middle one of some values, the larger one of two, and sorts them.
func Median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}
