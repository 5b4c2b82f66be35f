package keyrack_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// late is a store in which others commit while an instance opens, after it has
// looked how far the journal goes.
type late struct {
	store.Store
	commit func()
	once   sync.Once
}

func (l *late) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	l.once.Do(l.commit)
	return l.Store.Journal(ctx, after)
}

// What others commit while an instance opens it takes up like everything else; for
// the race detector, above all.
func TestOthersCommitWhileAnInstanceOpens(t *testing.T) {
	mem, sealer := memstore.New(nil), seal.Ephemeral()
	other, err := keyrack.Open(context.Background(), mem, &keyrack.Options{Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s := &late{Store: mem, commit: func() {
		if _, err := other.Deliver(context.Background(), creation("a", "k", lifecycle.Yes)); err != nil {
			t.Error(err)
		}
	}}
	rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: sealer, Prober: newOracle("k")})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	for deadline := time.Now().Add(30 * time.Second); rack.Check(tokenText("k")).Status != lifecycle.Valid; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what was committed meanwhile does not arrive")
		}
	}
}

// A store belongs to the sealer that began it.
func TestOpenWithAnotherSealer(t *testing.T) {
	ctx := t.Context()
	s := memstore.New(nil)
	first, second := seal.NewKey(), seal.NewKey()
	ring := func(keys ...[]byte) *seal.Ring {
		r, err := seal.NewRing(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, test := range []struct {
		name   string
		sealer seal.Sealer
		want   error
	}{
		{"the first", ring(first), nil},
		{"the same again", ring(first), nil},
		{"another", ring(second), keyrack.ErrSealer},
		{"a random one", nil, keyrack.ErrSealer},
		{"a new one before the first", ring(second, first), nil},
	} {
		r, err := keyrack.Open(ctx, s, &keyrack.Options{Sealer: test.sealer})
		if !errors.Is(err, test.want) || (err == nil) != (r != nil) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if r != nil {
			if _, err := r.Deliver(ctx, specBody()); err != nil {
				t.Error(err)
			}
			if !r.Check(tokenText(spec)).Active() {
				t.Errorf("%s: the token is not known", test.name)
			}
			if token, _, err := r.Token(ctx, integrationID(spec)); token.Reveal() != tokenText(spec) {
				t.Errorf("%s: another token: %v", test.name, err)
			}
			r.Close()
		}
	}
}

// durable is a store that does not say that it ends with the process.
type durable struct{ store.Store }

func TestOpenWithoutSealer(t *testing.T) {
	if _, err := keyrack.Open(t.Context(), durable{memstore.New(nil)}, nil); !errors.Is(err, keyrack.ErrNoSealer) {
		t.Errorf("a durable store without a sealer: %v", err)
	}
	r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatalf("a store in memory without a sealer: %v", err)
	}
	r.Close()
}
