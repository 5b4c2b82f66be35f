package binding_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// places draws places that share as much as they can: owners by the same name.
func places() *rapid.Generator[store.Ref] {
	entry := store.EntryID{0x01, 0x9a, 0x6f}
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) store.Ref {
			id := rapid.SampledFrom([]string{"digest key", entry.String(), "join a", "a"}).Draw(t, "integration")
			return store.Ref{Integration: id, Digest: lifecycle.Digest{1, byte(rapid.IntRange(0, 2).Draw(t, "digest"))}}
		}),
		rapid.Map(rapid.IntRange(0, 2), func(n int) store.Ref { id := entry; id[15] += byte(n); return store.Ref{Entry: id} }),
		rapid.Map(rapid.SampledFrom([]string{"digest key", entry.String(), "join a", "a"}), func(name string) store.Ref { return store.Ref{Name: name} }),
	)
}

// TestOpensInItsPlaceAlone: what is sealed for a place opens there, and nowhere else.
func TestOpensInItsPlaceAlone(t *testing.T) {
	sealer := seal.Ephemeral()
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		here, there := places().Draw(t, "here"), places().Draw(t, "there")
		value, err := binding.Seal(sealer, here, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := binding.Open(sealer, there, value)
		switch {
		case here == there && (err != nil || !bytes.Equal(got, plain)):
			t.Fatalf("does not open in its place: %v", err)
		case here != there && !errors.Is(err, seal.ErrOpen):
			t.Fatalf("opens elsewhere: %v", err)
		}
		if binding.Former(value) || binding.Stale(sealer, value) || !binding.Stale(seal.Ephemeral(), value) {
			t.Fatal("what was just sealed is stale, or not stale for another key")
		}
	})
}

// contrary is a sealer whose values begin as ours do.
type contrary struct{ *seal.Ring }

func (c contrary) Seal(plain []byte, owner string) ([]byte, error) {
	value, err := c.Ring.Seal(plain, owner)
	return append([]byte{2}, value...), err
}

func (c contrary) Open(value []byte, owner string) ([]byte, error) {
	return c.Ring.Open(value[1:], owner)
}

func (c contrary) Stale(value []byte) bool { return c.Ring.Stale(value[1:]) }

// TestFormer: what a former version sealed opens if it is what belongs there.
func TestFormer(t *testing.T) {
	digester, err := seal.NewDigester(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	entry := store.EntryID{0x01, 0x9a, 0x6f}
	for name, sealer := range map[string]seal.Sealer{"a ring": seal.Ephemeral(), "another sealer": contrary{seal.Ephemeral()}} {
		t.Run(name, func(t *testing.T) {
			former := func(plain, owner string) []byte {
				value, err := sealer.Seal([]byte(plain), owner)
				if err != nil {
					t.Fatal(err)
				}
				return value
			}
			mine := store.Ref{Integration: entry.String(), Digest: digester.Sum("mine")}
			if token, err := binding.OpenToken(sealer, digester.Sum, mine, former("mine", entry.String())); err != nil || string(token) != "mine" {
				t.Errorf("a former token does not open: %v", err)
			}
			if _, err := binding.OpenToken(sealer, digester.Sum, mine, former("the one before", entry.String())); !errors.Is(err, binding.ErrMoved) {
				t.Errorf("another token of the same integration: %v", err)
			}
			for _, body := range []string{`{"Action":""}`, " []", "\xef\xbb\xbf{}"} {
				if got, err := binding.Open(sealer, store.Ref{Entry: entry}, former(body, entry.String())); err != nil || string(got) != body {
					t.Errorf("a former body does not open: %v", err)
				}
				if _, err := binding.OpenToken(sealer, digester.Sum, mine, former(body, entry.String())); !errors.Is(err, binding.ErrMoved) {
					t.Errorf("a body opens as a token: %v", err)
				}
			}
			if _, err := binding.Open(sealer, store.Ref{Entry: entry}, former("mine", entry.String())); !errors.Is(err, binding.ErrMoved) {
				t.Errorf("a token opens as a body: %v", err)
			}
			fresh, err := binding.Seal(sealer, mine, []byte("mine"))
			if err != nil {
				t.Fatal(err)
			}
			if token, err := binding.OpenToken(sealer, digester.Sum, mine, fresh); err != nil || string(token) != "mine" {
				t.Errorf("a token of today's form does not open: %v", err)
			}
		})
	}
}
