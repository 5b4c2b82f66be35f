package digestkey_test

import (
	"context"
	"errors"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/stamp"
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
			keys, err := digestkey.Open(t.Context(), s, sealer)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			digests[keys.Digester.Sum("token").String()] = true
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

// A store has one key of the stamps as well, and one that a former version
// began gets it when it is begun anew. To open it gives it none.
func TestStampKey(t *testing.T) {
	s, sealer := memstore.New(nil), seal.Ephemeral()
	former, err := binding.Seal(sealer, digestkey.Ref, seal.NewKey())
	if err == nil {
		err = s.Reseal(t.Context(), digestkey.Ref, nil, former)
	}
	if err != nil {
		t.Fatal(err)
	}
	if keys := opened(t, s, sealer); !keys.Stamps.IsZero() {
		t.Error("a former version's store has a key of the stamps")
	}
	stamps := map[string]bool{}
	for range 3 {
		if err := digestkey.Begin(t.Context(), s, sealer); err != nil {
			t.Fatal(err)
		}
		stamps[stampBy(opened(t, s, sealer))] = true
	}
	if len(stamps) != 1 {
		t.Errorf("the store has had %d keys of the stamps", len(stamps))
	}
}

// Once stamps are required, the keys are the same, and a former version does not open the
// store. That is so for ever, and for a store that required them already.
func TestRequire(t *testing.T) {
	s, sealer := memstore.New(nil), seal.Ephemeral()
	if err := digestkey.Begin(t.Context(), s, sealer); err != nil {
		t.Fatal(err)
	}
	before := opened(t, s, sealer)
	for _, after := range []store.Position{7, 9} {
		if err := digestkey.Require(t.Context(), s, sealer, after); err != nil {
			t.Fatal(err)
		}
		if err := digestkey.Begin(t.Context(), s, sealer); err != nil {
			t.Fatal(err)
		}
		keys := opened(t, s, sealer)
		if keys.Stamps.Mark != (stamp.Mark{Required: true, After: 7}) {
			t.Errorf("the mark is %+v", keys.Stamps.Mark)
		}
		if stampBy(keys) != stampBy(before) || keys.Digester.Sum("k") != before.Digester.Sum("k") {
			t.Error("the keys are others")
		}
	}
	sealed, err := s.Sealed(t.Context(), digestkey.Ref)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := binding.Open(sealer, digestkey.Ref, sealed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.NewDigester(plain); err == nil {
		t.Error("a former version takes it for the key of the digests")
	}
	if _, err := s.Sealed(t.Context(), digestkey.StampRef); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the key of the stamps still lies by itself (%v), so the mark could be taken back", err)
	}
}

// What is not the key of the stamps is said to be none, and makes no digests wrong.
func TestStampKeyIsReplaced(t *testing.T) {
	s, sealer := memstore.New(nil), seal.Ephemeral()
	if err := digestkey.Begin(t.Context(), s, sealer); err != nil {
		t.Fatal(err)
	}
	right := opened(t, s, sealer).Digester.Sum("k")
	digests, err := s.Sealed(t.Context(), digestkey.Ref)
	if err != nil {
		t.Fatal(err)
	}
	stamps, err := s.Sealed(t.Context(), digestkey.StampRef)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Reseal(t.Context(), digestkey.StampRef, stamps, digests); err != nil {
		t.Fatal(err)
	}
	keys, err := digestkey.Open(t.Context(), s, sealer)
	if !errors.Is(err, digestkey.ErrSealer) || !errors.Is(err, digestkey.ErrStampKey) || keys.Digester.Sum("k") != right {
		t.Errorf("with the key of the digests in its place: %v", err)
	}
}

func opened(t *testing.T, s store.Store, sealer seal.Sealer) digestkey.Keys {
	t.Helper()
	keys, err := digestkey.Open(t.Context(), s, sealer)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// stampBy returns a stamp that was made with a store's key.
func stampBy(keys digestkey.Keys) string {
	return string(keys.Stamps.Record(nil, "a", 1, store.EntryID{1}, []byte(`{"ID":"a"}`)))
}
