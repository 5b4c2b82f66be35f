//go:build !race

package crosscheck_test

const fileHistories = 1000
