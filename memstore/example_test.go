package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// What one commit brings is there at once in all its parts, and what expects
// another version changes nothing.
func Example() {
	ctx := context.Background()
	s := memstore.New(nil)

	digest := lifecycle.Digest{1, 2, 3}
	commit := store.Commit{
		Entry: store.Entry{
			ID: store.NewEntryID(time.Now()), Integration: "hotel",
			Evidence: []byte("IntegrationCreated"), Decision: []byte("applied"),
		},
		Expect: 0, // it must not exist yet
		Record: []byte("created_enabled"),
		Claim:  []store.Claim{{Digest: digest, Sealed: []byte("sealed token")}},
	}
	receipt, _ := s.Commit(ctx, commit)
	fmt.Println("version", receipt.Version)

	// The answer got lost? The same again is harmless.
	receipt, _ = s.Commit(ctx, commit)
	fmt.Println("version", receipt.Version, "repeated", receipt.Repeated)

	owner, _ := s.Owner(ctx, digest)
	fmt.Println("owner", owner)

	commit.Entry.ID = store.NewEntryID(time.Now())
	_, err := s.Commit(ctx, commit)
	fmt.Println("conflict", errors.Is(err, store.ErrConflict))

	// Output:
	// version 1
	// version 1 repeated true
	// owner hotel
	// conflict true
}

// A reader follows the journal from where it was.
func ExampleStore_Journal() {
	ctx := context.Background()
	s := memstore.New(nil)
	for version, what := range []string{"created", "disabled", "enabled"} {
		_, _ = s.Commit(ctx, store.Commit{
			Entry:  store.Entry{ID: store.NewEntryID(time.Now()), Integration: "hotel", Evidence: []byte(what)},
			Expect: uint64(version),
		})
	}

	var cursor store.Position = 1 // "created" is known already
	for entry, err := range s.Journal(ctx, cursor) {
		if err != nil {
			fmt.Println(err) // store.ErrTrimmed: begin anew with Bounds and Scan
			return
		}
		fmt.Println(entry.Position, string(entry.Evidence))
		cursor = entry.Position
	}
	// Output:
	// 2 disabled
	// 3 enabled
}
