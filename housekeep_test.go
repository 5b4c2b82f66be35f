package keyrack_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// A token that was erased once its deletion was old comes back by an import that
// brings it.
func TestImportBringsAnErasedTokenBack(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(deletion("a", time.Time{}))
		settle(30 * time.Hour)
		again := keyrack.Import{Integration: lifecycle.Named{ID: integrationID("a")}, Token: lifecycle.NewToken(tokenText("k"))}
		if _, err := b.Import(context.Background(), again); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		if token, v, err := b.Token(context.Background(), integrationID("a")); err != nil || token.Reveal() != tokenText("k") {
			t.Errorf("the token is %v (%v), %v", v.Status, v.Reason, err)
		}
		b.examined(f.sealer)
	})
}

// scanned is a store in which somebody else does something, once, right after the
// sealed values were scanned.
type scanned struct {
	store.Store
	then atomic.Pointer[func()]
}

func (s *scanned) Volatile() bool { return true }

func (s *scanned) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return func(yield func(store.Ref, error) bool) {
		s.Store.ScanSealed(ctx)(yield)
		if then := s.then.Swap(nil); then != nil {
			(*then)()
		}
	}
}

// A token that comes back into use while housekeeping is about to erase it stays.
func TestHousekeepingErasesNothingInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scanned{Store: memstore.New(nil)}
		rack, err := keyrack.Open(context.Background(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		b := bench{T: t, Rack: rack}
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "l", lifecycle.Yes))
		settle(10 * time.Hour) // so that nothing is trimmed when they are erased
		b.deliver(deletion("a", time.Time{}))
		b.deliver(deletion("b", time.Time{}))
		refs := func() (n int) {
			for ref := range s.Store.ScanSealed(context.Background()) {
				if ref.Integration != "" {
					n++
				}
			}
			return n
		}
		settle(23*time.Hour + 30*time.Minute)
		if refs() != 2 {
			t.Fatal("the tokens are erased already")
		}
		reopen := func() {
			again := keyrack.Import{Integration: lifecycle.Named{ID: integrationID("a")}, Token: lifecycle.NewToken(tokenText("k"))}
			if _, err := b.Import(context.Background(), again); err != nil {
				t.Error(err)
			}
		}
		s.then.Store(&reopen)
		settle(2 * time.Hour)
		if token, v, err := b.Token(context.Background(), integrationID("a")); err != nil || token.Reveal() != tokenText("k") || refs() != 1 {
			t.Errorf("the token is %v (%v), %v; %d are kept", v.Status, v.Reason, err, refs())
		}
	})
}
