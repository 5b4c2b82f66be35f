package guard_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

const secret = "canary-token"

// strange is a store that does as it is told; what it is not told, it cannot do.
type strange struct {
	store.Store
	load func(ctx context.Context) (store.Stored, error)
	scan func(ctx context.Context) iter.Seq2[store.Stored, error]
	news chan struct{}
}

func (s strange) Load(ctx context.Context, _ string) (store.Stored, error) { return s.load(ctx) }

func (s strange) Scan(ctx context.Context, _ string) iter.Seq2[store.Stored, error] {
	return s.scan(ctx)
}

func (s strange) Volatile() bool { return s.news != nil }

func (s strange) News(context.Context) <-chan struct{} { return s.news }

// databaseError is an error as a driver makes them: its text quotes, its kind does not.
type databaseError struct{}

func (databaseError) Error() string   { return "duplicate key " + secret }
func (databaseError) Failure() string { return "database: it is busy (code 5)" }

// TestForeignSaysWhatFailed: what may be said of an error is said, and no more.
func TestForeignSaysWhatFailed(t *testing.T) {
	sentinel := store.NewFailure("database: closed")
	for name, c := range map[string]struct {
		err  error
		text string
	}{
		"nothing":                        {nil, ""},
		"a sentinel of ours":             {store.ErrConflict, store.ErrConflict.Error()},
		"one of ours, wrapped":           {fmt.Errorf("%s: %w", secret, store.ErrConflict), "store error: " + store.ErrConflict.Error()},
		"a failure of the store's own":   {databaseError{}, "store error: database: it is busy (code 5)"},
		"its sentinel, wrapped":          {fmt.Errorf("%s: %w", secret, sentinel), "store error: database: closed"},
		"a plain text":                   {errors.New(secret), "store error"},
		"a type of its own":              {strangeError{}, "store error: guard_test.strangeError"},
		"several":                        {errors.Join(errors.New(secret), context.Canceled, databaseError{}), "store error: context canceled: database: it is busy (code 5)"},
		"a failure that is not a line":   {odd("two\nlines"), "store error: guard_test.odd"},
		"a failure that is far too long": {odd(strings.Repeat("x", 201)), "store error: guard_test.odd"},
	} {
		got := guard.Foreign("store", c.err)
		if c.err == nil {
			if got != nil {
				t.Errorf("%s: %v", name, got)
			}
			continue
		}
		if got.Error() != c.text || !errors.Is(got, c.err) {
			t.Errorf("%s: %q, want %q", name, got, c.text)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if text := fmt.Sprintf(verb, got); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s, %s: the error quotes what it was told", name, verb)
			}
		}
	}
}

type strangeError struct{}

func (strangeError) Error() string { return secret }

type odd string

func (odd) Error() string     { return secret }
func (o odd) Failure() string { return string(o) }

// TestCallsEnd: a store that hangs fails in time, and one that panics fails at once.
func TestCallsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) (store.Stored, error) { <-ctx.Done(); return store.Stored{}, ctx.Err() }
		began := time.Now()
		_, err := guard.Store(strange{load: hang}, nil).Load(context.Background(), "")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != guard.Patience {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		panics := func(context.Context) (store.Stored, error) { panic(secret) }
		if _, err = guard.Store(strange{load: panics}, nil).Load(context.Background(), ""); err == nil || err.Error() != "store: panic of a string" {
			t.Errorf("a panic: %v", err)
		}
	})
}

// TestIterations: each step has its time, the consumer has any, and whose panic it is
// stays clear.
func TestIterations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		three := func(ctx context.Context) iter.Seq2[store.Stored, error] {
			return func(yield func(store.Stored, error) bool) {
				for range 3 {
					time.Sleep(guard.Patience / 2)
					if ctx.Err() != nil || !yield(store.Stored{}, ctx.Err()) {
						return
					}
				}
			}
		}
		n := 0
		var elsewhere time.Duration
		watch := func(ctx context.Context, method string) (context.Context, func(time.Duration, error)) {
			return ctx, func(d time.Duration, _ error) { elsewhere = d }
		}
		for _, err := range guard.Store(strange{scan: three}, watch).Scan(context.Background(), "") {
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * guard.Patience) // the consumer takes its time
			n++
		}
		if n != 3 || elsewhere != 30*guard.Patience {
			t.Errorf("%d steps, %v elsewhere", n, elsewhere)
		}
		panics := func(context.Context) iter.Seq2[store.Stored, error] {
			return func(func(store.Stored, error) bool) { panic(secret) }
		}
		for _, err := range guard.Store(strange{scan: panics}, nil).Scan(context.Background(), "") {
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("a panic of the store's: %v", err)
			}
		}
		v := guard.Panicked(func() {
			for range guard.Store(strange{scan: three}, nil).Scan(context.Background(), "") {
				panic("the consumer's own")
			}
		})
		if v != "the consumer's own" {
			t.Errorf("a panic of the consumer's: %v", v)
		}
	})
}

// TestWrappingKeepsWhatAStoreIs: volatile, and a giver of news.
func TestWrappingKeepsWhatAStoreIs(t *testing.T) {
	news := make(chan struct{})
	wrapped := guard.Store(guard.Store(strange{news: news}, nil), nil)
	if v, ok := wrapped.(store.Volatile); !ok || !v.Volatile() {
		t.Error("no longer volatile")
	}
	if n, ok := wrapped.(store.News); !ok || n.News(t.Context()) != (<-chan struct{})(news) {
		t.Error("gives no news any more")
	}
	plain := guard.Store(struct{ store.Store }{}, nil)
	if plain.(store.Volatile).Volatile() || plain.(store.News).News(t.Context()) != nil {
		t.Error("a store that is neither became both")
	}
}

type loud struct{ seal.Sealer }

func (loud) Seal(plain []byte, _ string) ([]byte, error) { panic(string(plain)) }
func (loud) Open([]byte, string) ([]byte, error)         { return nil, errors.New(secret) }

func TestSealerIsContained(t *testing.T) {
	s := guard.Sealer(loud{})
	if out, err := s.Seal([]byte(secret), ""); out != nil || err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := s.Open(nil, ""); err == nil || err.Error() != "sealer error" {
		t.Errorf("%v", err)
	}
}
