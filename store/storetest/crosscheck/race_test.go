//go:build race

package crosscheck_test

// The race detector makes SQLite, which is transpiled from C, ten times slower.
const fileHistories = 100
