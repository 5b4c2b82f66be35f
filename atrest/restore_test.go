package atrest_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// TestExportAndRestore: an export goes into any other store, tokens and all. What is
// there already, and what cannot be read, is refused line by line.
func TestExportAndRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(rotation("a", "k2"))
		b.deliver(creation("b", "l", lifecycle.No))
		b.deliver(creation("d", "m", lifecycle.Yes))
		b.deliver(deleted("d"))
		var with, without bytes.Buffer
		if n, err := atrest.Export(t.Context(), f.store, &with, true); n != 3 || err != nil {
			t.Fatalf("Export: %d, %v", n, err)
		}
		if _, err := atrest.Export(t.Context(), f.store, &without, false); err != nil {
			t.Fatal(err)
		}
		b.Close()
		for _, name := range []string{"k", "k2", "l", "m"} {
			if strings.Contains(with.String()+without.String(), testkit.Token(name)) {
				t.Error("the export has a token in clear")
			}
		}
		g := fixture{t, memstore.New(nil), f.sealer}
		restore := func(text string, want ...string) {
			t.Helper()
			var got []string
			for r, err := range atrest.Restore(t.Context(), g.store, g.sealer, strings.NewReader(text)) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r.Refused)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("restored with %q, want %q", got, want)
			}
		}
		lines := strings.SplitAfter(with.String(), "\n")
		restore(lines[0]+lines[1]+"rubbish\n"+lines[2]+lines[3], "", "the line cannot be read", "", "")
		restore(with.String(), "the store has this integration already", "the store has this integration already", "the store has this integration already")
		c := g.open()
		defer c.Close()
		c.is("k", lifecycle.Invalid, lifecycle.ReasonSuperseded)
		c.is("k2", lifecycle.Valid, lifecycle.ReasonLive)
		c.is("l", lifecycle.Invalid, lifecycle.ReasonDisabled)
		c.is("m", lifecycle.Invalid, lifecycle.ReasonDeleted)
		c.has("a", "k2")
		c.toggle("b", true) // and life goes on
		c.is("l", lifecycle.Valid, lifecycle.ReasonLive)
		g.examined()

		bare := fixture{t, memstore.New(nil), f.sealer}
		for _, err := range atrest.Restore(t.Context(), bare.store, bare.sealer, &without) {
			if err != nil {
				t.Fatal(err)
			}
		}
		d := bare.open()
		defer d.Close()
		d.is("k2", lifecycle.Valid, lifecycle.ReasonLive) // to anyone who has it
		if _, v, err := d.Token(t.Context(), named("a").ID); !errors.Is(err, keyrack.ErrNoToken) || v.Status != lifecycle.Unknown {
			t.Errorf("a token that was left out is %v, %v", v.Status, err)
		}
		d.deliver(rotation("a", "k2")) // Mews repeats itself
		d.has("a", "k2")

		for _, rubbish := range []string{"", "rubbish", `{"Keyrack":"export","Format":2}`} {
			for _, err := range atrest.Restore(t.Context(), g.store, g.sealer, strings.NewReader(rubbish)) {
				if !errors.Is(err, atrest.ErrExport) {
					t.Errorf("restored from %q: %v", rubbish, err)
				}
			}
		}
		for _, err := range atrest.Restore(t.Context(), memstore.New(nil), seal.Ephemeral(), &with) {
			if !errors.Is(err, keyrack.ErrSealer) {
				t.Errorf("restored under another key: %v", err)
			}
		}
	})
}
