//go:build race

package sqlitestore_test

// The race detector makes what is transpiled from C ten times slower: the runs that
// are about files, not about goroutines, are shorter then.
func init() { slow = true }
