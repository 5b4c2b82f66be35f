package keyrack_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// What an import brings is held to what a delivery could say: nothing gets into
// the store that could not be read again.
func TestImportRefuses(t *testing.T) {
	s := memstore.New(nil)
	ring := seal.Ephemeral()
	r, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	good := keyrack.Import{Integration: lifecycle.Named{ID: integrationID("A")}, Token: keyrack.NewToken(tokenText("k"))}
	for _, test := range []struct {
		name   string
		change func(*keyrack.Import)
		ok     bool
	}{
		{"no id", func(i *keyrack.Import) { i.Integration.ID = "" }, false},
		{"no token", func(i *keyrack.Import) { i.Token = keyrack.Token{} }, false},
		{"an id with a zero byte", func(i *keyrack.Import) { i.Integration.ID = "a\x00b" }, false},
		{"an id with a line break", func(i *keyrack.Import) { i.Enterprise.ID = "a\nb" }, false},
		{"an id that is no UTF-8", func(i *keyrack.Import) { i.Service.ID = "a\xff" }, false},
		{"a long id", func(i *keyrack.Import) { i.Integration.ID = strings.Repeat("x", 129) }, false},
		{"a long token", func(i *keyrack.Import) { i.Token = keyrack.NewToken(strings.Repeat("x", 1025)) }, false},
		{"the year 10000", func(i *keyrack.Import) { i.CreatedUtc = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, false},
		{"the year -1", func(i *keyrack.Import) { i.CreatedUtc = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, false},
		{"a name that is no UTF-8", func(i *keyrack.Import) { i.Integration.Name = "a\xff\x00" }, true},
		{"the year 9999", func(i *keyrack.Import) { i.CreatedUtc = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }, true},
	} {
		i := good
		test.change(&i)
		if _, err := r.Import(t.Context(), i); (err == nil) != test.ok || err != nil && !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	audit(t, s, r)
	again, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: ring})
	if err != nil {
		t.Fatalf("the store cannot be opened any more: %v", err)
	}
	again.Close()
}

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
