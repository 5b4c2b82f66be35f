//go:build race

package pgstore_test

// The race detector takes several times as long.
func init() { histories = 200 }
