package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// books is a store in whose transactions an application writes lines.
type books struct {
	*memstore.Store
	mu    sync.Mutex
	lines []string
	end   func() (err error, done bool) // of the next transactions
}

// page is what is written in one transaction.
type page struct{ lines []string }

func (b *books) Transact(ctx context.Context, p store.Progress, do func(context.Context, *page) error) error {
	var written page
	if err := do(ctx, &written); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	err, done := b.end()
	if err != nil && !done {
		return err
	}
	at, _ := b.Cursor(ctx, p.Lease.Name)
	value, _ := b.Sealed(ctx, p.Ref)
	if at != p.From || !bytes.Equal(value, p.Old) {
		return store.ErrFenced
	}
	if err := b.Advance(ctx, p.Lease, p.To); err != nil {
		return err
	}
	if p.New == nil {
		_ = b.Shred(ctx, p.Ref)
	} else {
		_ = b.Reseal(ctx, p.Ref, p.Old, p.New)
	}
	b.lines = append(b.lines, written.lines...)
	return err
}

func (b *books) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.lines...)
}

// TestSubscribeTx: whatever the handler, the database or nobody knows what makes of a
// transaction, each change is written once, also by another instance afterwards.
func TestSubscribeTx(t *testing.T) {
	gone := errors.New("made-up: the connection broke")
	for name, c := range map[string]struct {
		handler func() error         // at first
		end     func() (error, bool) // at first
	}{
		"all is well":                        {},
		"the handler fails":                  {handler: func() error { return gone }},
		"the handler panics":                 {handler: func() error { panic("made-up") }},
		"what it wrote cannot be committed":  {end: func() (error, bool) { return store.ErrRolledBack, false }},
		"it was committed, and nobody knows": {end: func() (error, bool) { return gone, true }},
		"it was not, and nobody knows":       {end: func() (error, bool) { return gone, false }},
		"the store panics":                   {end: func() (error, bool) { panic("made-up") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sealer := seal.Ephemeral()
				b := &books{Store: memstore.New(nil), end: func() (error, bool) { return nil, false }}
				trouble := true // under b.mu
				if c.end != nil {
					b.end = func() (error, bool) {
						if !trouble {
							return nil, false
						}
						trouble = false
						return c.end()
					}
				}
				open := func() *keyrack.Rack {
					rack, err := keyrack.Open(t.Context(), b.Store, &keyrack.Options{Sealer: sealer})
					if err != nil {
						t.Fatal(err)
					}
					err = keyrack.SubscribeTx(rack, keyrack.SubscribeOptions{Name: "books", Kinds: []keyrack.ChangeKind{keyrack.ChangeAny}, FromStart: true}, b,
						func(_ context.Context, tx *page, change keyrack.Change) error {
							tx.lines = append(tx.lines, change.ID.String())
							b.mu.Lock()
							fails := trouble && c.handler != nil
							if fails {
								trouble = false
							}
							b.mu.Unlock()
							if fails {
								return c.handler()
							}
							return nil
						})
					if err != nil {
						t.Fatal(err)
					}
					return rack
				}
				rack := open()
				var want []string
				deliver := func(body []byte) {
					receipt, err := rack.Deliver(t.Context(), body)
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, receipt.ID.String())
					time.Sleep(2 * time.Minute)
				}
				deliver(creation("a", "k", lifecycle.Yes))
				deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
				rack.Close()
				rack = open()
				deliver(webhook(lifecycle.IntegrationDeleted, "a", nil))
				rack.Close()
				if got := b.all(); strings.Join(got, " ") != strings.Join(want, " ") {
					t.Errorf("written are %v, want %v", got, want)
				}
			})
		})
	}
}

// TestSubscribeTxRefuses: what cannot be exact is refused, by name.
func TestSubscribeTxRefuses(t *testing.T) {
	s := memstore.New(nil)
	rack, err := keyrack.Open(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	named := keyrack.SubscribeOptions{Name: "books"}
	mine, another := &books{Store: s}, &books{Store: memstore.New(nil)}
	handle := func(context.Context, *page, keyrack.Change) error { return nil }
	nothing := func(context.Context, keyrack.Change) error { return nil }
	for says, err := range map[string]error{
		"the subscription's name is \"\"":       keyrack.SubscribeTx(rack, keyrack.SubscribeOptions{}, mine, handle),
		"\"books\" has no handler":              keyrack.SubscribeTx(rack, named, mine, nil),
		"SubscribeTx has no transactor":         keyrack.SubscribeTx(rack, named, (*books)(nil), handle),
		"is not the store that the Rack was":    keyrack.SubscribeTx(rack, named, another, handle),
		"two names, \"a\" and SubscribeOptions": rack.Subscribe("a", nothing, &keyrack.SubscribeOptions{Name: "b"}),
	} {
		if !errors.Is(err, keyrack.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
