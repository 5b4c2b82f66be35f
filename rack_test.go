package keyrack_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// A Rack runs one subscription of a name, and none once it is closed. Its questions
// are answered all the same.
func TestClosedRackAnswersAndStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		b := bench{T: t, Rack: rack}
		b.deliver(creation("a", "k", lifecycle.Yes))
		subscribe := func(name string) error {
			return b.Subscribe(name, func(context.Context, keyrack.Change) error { return nil }, nil)
		}
		if err := subscribe("one"); err != nil {
			t.Fatal(err)
		}
		if err := subscribe("one"); !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("a second subscription of the same name: %v", err)
		}
		for range 2 {
			if err := b.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		for _, name := range []string{"one", "another"} {
			if err := subscribe(name); !errors.Is(err, keyrack.ErrClosed) {
				t.Errorf("a subscription %q on a closed Rack: %v", name, err)
			}
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}
