package seen_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/seen"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// TestKeep: what two instances saw becomes known to both, nothing that the store had is
// lost, and what cannot be read begins anew.
func TestKeep(t *testing.T) {
	ctx := context.Background()
	mem := memstore.New(nil)
	a, b := seen.New(mem, slog.New(slog.DiscardHandler)), seen.New(mem, slog.New(slog.DiscardHandler))
	keep := func(all ...*seen.Actions) {
		t.Helper()
		for _, one := range all {
			if err := one.Keep(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.Note(lifecycle.IntegrationCreated)
	b.Note(lifecycle.IntegrationDeleted)
	if !a.Fresh() || a.Has(lifecycle.IntegrationDeleted) {
		t.Error("a does not know what it saw alone")
	}
	keep(a, b, a)
	for name, one := range map[string]*seen.Actions{"a": a, "b": b} {
		if !one.Has(lifecycle.IntegrationCreated) || !one.Has(lifecycle.IntegrationDeleted) || one.Has(lifecycle.IntegrationEnabled) {
			t.Errorf("%s does not know both", name)
		}
	}
	if a.Fresh() {
		t.Error("a has news although all is kept")
	}
	ref := store.Ref{Name: "actions seen"}
	old, err := mem.Sealed(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := mem.Reseal(ctx, ref, old, []byte("?")); err != nil {
		t.Fatal(err)
	}
	keep(a)
	again := seen.New(mem, slog.New(slog.DiscardHandler))
	if keep(again); !again.Has(lifecycle.IntegrationDeleted) {
		t.Error("what cannot be read is not written anew")
	}
}

// TestFirst: a name is new once, and no number of names fills the memory.
func TestFirst(t *testing.T) {
	a := seen.New(nil, nil)
	if !a.First("IntegrationPaused") || a.First("IntegrationPaused") {
		t.Error("a name is not new once")
	}
	fresh := 1
	for n := range 1000 {
		if a.First(fmt.Sprint(n)) {
			fresh++
		}
	}
	if fresh != 128 {
		t.Errorf("%d names were new", fresh)
	}
}
