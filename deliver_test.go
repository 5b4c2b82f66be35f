package keyrack_test

import (
	"context"
	"testing"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// appending is a store that appends to every slice that a commit gives it before
// it reads any of them, as a store may that frames its rows.
type appending struct{ store.Store }

func (s appending) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	given := [][]byte{c.Entry.Evidence, c.Entry.Decision, c.Record, c.Body}
	for _, claim := range c.Claim {
		given = append(given, claim.Sealed)
	}
	for _, b := range given {
		_ = append(b, "a frame of the store's own"...)
	}
	return s.Store.Commit(ctx, c)
}

// TestStoreMayAppend: no two slices of a commit share what lies behind their ends.
func TestStoreMayAppend(t *testing.T) {
	mem := memstore.New(nil)
	r, err := keyrack.Open(t.Context(), appending{mem}, &keyrack.Options{Sealer: seal.Ephemeral()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, body := range [][]byte{creation("A", "k", lifecycle.Yes), webhook(lifecycle.IntegrationDisabled, "A", nil), webhook(lifecycle.IntegrationEnabled, "A", nil)} {
		if _, err := r.Deliver(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for e, err := range mem.Journal(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keyrack.ParseEntry(e); err != nil {
			t.Errorf("entry %d cannot be read: %v", e.Version, err)
		}
		n++
	}
	stored, err := mem.Load(t.Context(), integrationID("A"))
	if err != nil || n != 3 {
		t.Fatalf("%d entries; Load: %v", n, err)
	}
	if _, err := lifecycle.ParseRecord(stored.Record); err != nil {
		t.Errorf("the record cannot be read: %v", err)
	}
}
