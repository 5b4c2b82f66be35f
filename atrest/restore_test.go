package atrest_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
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

// A record that was changed in the export is not restored, and neither is one without a
// stamp where stamps were required. A new store then requires them as well. Whatever is in
// a name comes through.
func TestRestoreChecksStamps(t *testing.T) {
	for _, required := range []bool{false, true} {
		t.Run(fmt.Sprint("required ", required), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fixture{t, memstore.New(nil), seal.Ephemeral()}
				b := f.open()
				b.deliver(creation("a", "k", lifecycle.Yes))
				odd := creation("b", "l", lifecycle.No)
				odd.Integration.Name = "Zum „Löwen“ \"<&>\u2028\u0001\\/\U0001F511"
				b.deliver(odd)
				b.deliver(creation("c", "m", lifecycle.No))
				b.Close()
				if required {
					if err := digestkey.Require(t.Context(), f.store, f.sealer, 0); err != nil {
						t.Fatal(err)
					}
					f.examined()
				}
				var export bytes.Buffer
				if _, err := atrest.Export(t.Context(), f.store, &export, true); err != nil {
					t.Fatal(err)
				}
				lines := strings.SplitAfter(export.String(), "\n")
				var stampless string
				for i, line := range lines {
					switch {
					case strings.Contains(line, named("a").ID):
						lines[i] = strings.Replace(line, "created_enabled", "created_disabled", 1)
					case strings.Contains(line, named("c").ID):
						lines[i] = regexp.MustCompile(`,"Stamp":"[^"]*"`).ReplaceAllString(line, "")
						stampless = lines[i]
					}
				}
				if stampless == "" || strings.Contains(stampless, "Stamp") {
					t.Fatalf("the export is %s", &export)
				}
				g := fixture{t, memstore.New(nil), f.sealer}
				refused := map[string]bool{}
				for r, err := range atrest.Restore(t.Context(), g.store, g.sealer, strings.NewReader(strings.Join(lines, ""))) {
					if err != nil {
						t.Fatal(err)
					}
					refused[r.Integration] = r.Refused == "the record was changed, or written, without the sealing key"
				}
				if want := map[string]bool{named("a").ID: true, named("b").ID: false, named("c").ID: required}; !maps.Equal(refused, want) {
					t.Errorf("refused are %v, want %v", refused, want)
				}
				g.examined()
				keys, err := digestkey.Open(t.Context(), g.store, g.sealer)
				if err != nil || keys.Stamps.IsZero() || keys.Stamps.Required != required {
					t.Errorf("the new store requires stamps: %v, %v", keys.Stamps.Required, err)
				}
			})
		})
	}
}
