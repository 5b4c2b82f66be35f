package main

import (
	"context"
	"errors"
	"testing"

	"github.com/keyrack-dev/keyrack/store"
)

// TestWriters: a version that does not follow ends the race, and no writer shares another's
// integrations.
func TestWriters(t *testing.T) {
	versions := make(chan string, 100)
	w := writers("any", 3, 2, func(_ context.Context, c *store.Commit, n int) error {
		if n != 3 {
			t.Error(n)
		}
		versions <- c.Entry.Integration
		return c.Check()
	})
	for range 2 {
		if err := w.batch(); err != nil {
			t.Fatal(err)
		}
	}
	close(versions)
	count := map[string]int{}
	for id := range versions {
		count[id]++
	}
	if len(count) != 6 {
		t.Errorf("%v: three writers, two turns", count)
	}
	failing := writers("any", 2, 1, func(context.Context, *store.Commit, int) error { return store.ErrConflict })
	if err := failing.batch(); !errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
}
