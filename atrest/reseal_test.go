package atrest_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// TestReseal: what is sealed under an old key is sealed anew, and then opens without it.
func TestReseal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, young := seal.NewKey(), seal.NewKey()
		ring := func(keys ...[]byte) *seal.Ring {
			r, err := seal.NewRing(keys...)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		f := fixture{t, memstore.New(nil), ring(old)}
		b := f.open()
		for i := range 10 {
			b.deliver(creation(fmt.Sprint(i), fmt.Sprint("k", i), lifecycle.Yes))
		}
		b.Close()
		f.sealer = ring(young, old)
		b = f.open()
		n, err := atrest.Reseal(t.Context(), f.store, f.sealer)
		if err != nil || n != 23 { // ten tokens, ten bodies, the keys of the digests and the stamps, the settings
			t.Errorf("Reseal: %d, %v", n, err)
		}
		if n, err := atrest.Reseal(t.Context(), f.store, f.sealer); err != nil || n != 0 {
			t.Errorf("Reseal again: %d, %v", n, err)
		}
		b.Close()
		f.sealer = ring(young)
		b = f.open()
		defer b.Close()
		for i := range 10 {
			b.has(fmt.Sprint(i), fmt.Sprint("k", i))
		}
		f.examined()
		if _, err := keyrack.Open(t.Context(), f.store, &keyrack.Options{Sealer: ring(old)}); !errors.Is(err, keyrack.ErrSealer) {
			t.Errorf("the old key still opens the store: %v", err)
		}
	})
}
