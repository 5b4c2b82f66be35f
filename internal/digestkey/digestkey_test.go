package digestkey_test

import (
	"context"
	"errors"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// overtaken is a store in which another instance puts its key right before ours.
type overtaken struct {
	store.Store
	other seal.Sealer
}

func (s overtaken) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	if err := digestkey.Begin(ctx, s.Store, s.other); err != nil {
		return err
	}
	return s.Store.Reseal(ctx, ref, old, new)
}

// TestOneKeyForEver: a store has one key, however often and by whom it is begun.
func TestOneKeyForEver(t *testing.T) {
	sealer := seal.Ephemeral()
	for name, s := range map[string]store.Store{
		"by one instance": memstore.New(nil), "by two at the same time": overtaken{memstore.New(nil), sealer},
	} {
		digests := map[string]bool{}
		for range 3 {
			if err := digestkey.Begin(t.Context(), s, sealer); err != nil {
				t.Fatal(err)
			}
			digester, err := digestkey.Open(t.Context(), s, sealer)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			digests[digester.Sum("token").String()] = true
		}
		if len(digests) != 1 {
			t.Errorf("begun %s, a store has had %d keys", name, len(digests))
		}
	}
}

// TestOpenProvesTheSealer: another sealer does not open the key, and a store without
// one has nothing to open.
func TestOpenProvesTheSealer(t *testing.T) {
	s := memstore.New(nil)
	if _, err := digestkey.Open(t.Context(), s, seal.Ephemeral()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a store without a key: %v", err)
	}
	if err := digestkey.Begin(t.Context(), s, seal.Ephemeral()); err != nil {
		t.Fatal(err)
	}
	if _, err := digestkey.Open(t.Context(), s, seal.Ephemeral()); !errors.Is(err, digestkey.ErrSealer) {
		t.Errorf("another sealer: %v", err)
	}
}
