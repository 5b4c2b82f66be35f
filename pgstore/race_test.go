//go:build race

package pgstore_test

func init() { slow = true }
