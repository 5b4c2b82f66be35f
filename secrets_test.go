package keyrack_test

import (
	"context"
	"testing"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// A token that does not open is read anew the next time: it may have been sealed
// again meanwhile.
func TestATokenThatDidNotOpenIsReadAnew(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		record, _ := b.Record(integrationID("a"))
		ref := store.Ref{Integration: record.ID, Digest: record.Keys[0].Digest}
		sound, err := f.store.Sealed(context.Background(), ref)
		if err != nil {
			t.Fatal(err)
		}
		put := func(old, value []byte) {
			t.Helper()
			if err := f.store.Reseal(context.Background(), ref, old, value); err != nil {
				t.Fatal(err)
			}
		}
		broken := []byte("sealed by nobody")
		put(sound, broken)
		if _, v, err := b.Token(context.Background(), record.ID); err == nil || v.Status != lifecycle.Unknown {
			t.Errorf("what does not open is %v, %v", v.Status, err)
		}
		put(broken, sound)
		if token, _, err := b.Token(context.Background(), record.ID); err != nil || token.Reveal() != tokenText("k") {
			t.Errorf("what opens again: %v", err)
		}
	})
}
