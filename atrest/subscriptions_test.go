package atrest_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// TestControl: a subscription that somebody runs is paused, resumed, rewound and
// forgotten on the store alone, and so are its dead letters.
func TestControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := memstore.New(nil), t.Context()
		commit(t, s, "a")
		var calls, failing atomic.Int64
		failing.Store(1)
		running, end := context.WithCancel(context.Background())
		var ended sync.WaitGroup
		ended.Go(func() {
			(&subscription.Subscriber[store.Entry]{
				Name: "mail", Store: s, TTL: 30 * time.Second, Attempts: 1,
				Parse: func(e store.Entry) (store.Entry, error) { return e, nil },
				Wants: func(store.Entry) bool { return true },
				News:  func() <-chan struct{} { return nil },
				Log:   slog.New(slog.DiscardHandler),
				Handle: func(context.Context, store.Entry, int) error {
					calls.Add(1)
					if failing.Load() > 0 {
						return errors.New("made-up failure")
					}
					return nil
				},
			}).Run(running)
		})
		defer ended.Wait()
		defer end()
		// after lets the subscriber work, and says what it did and where it stands.
		after := func(did string, err error, wantCalls int64, want ...atrest.Subscription) {
			t.Helper()
			time.Sleep(2 * time.Second)
			got, listed := atrest.Subscriptions(ctx, s)
			if err != nil || listed != nil || len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
				t.Errorf("%s: %+v, want %+v (%v, %v)", did, got, want, err, listed)
			}
			if n := calls.Load(); n != wantCalls {
				t.Errorf("%s: %d calls, want %d", did, n, wantCalls)
			}
		}
		after("failing", nil, 1, atrest.Subscription{Name: "mail", Position: 1, Dead: 1})
		failing.Store(0)
		letters, err := atrest.DeadLetters(ctx, s, "mail")
		if err != nil || len(letters) != 1 || letters[0].Integration != "a" || letters[0].Position != 1 || letters[0].Attempts != 1 {
			t.Fatalf("dead letters: %+v, %v", letters, err)
		}
		after("discarding", atrest.DiscardDeadLetters(ctx, s, "mail", letters...), 1, atrest.Subscription{Name: "mail", Position: 1})
		if letters, err := atrest.DeadLetters(ctx, s, "mail"); err != nil || len(letters) != 0 {
			t.Errorf("dead letters after they were discarded: %+v, %v", letters, err)
		}
		if _, _, err := atrest.RetryDeadLetters(ctx, s, "mail", 0); !errors.Is(err, atrest.ErrNoLetters) {
			t.Errorf("trying dead letters again where there are none: %v", err)
		}
		after("pausing", atrest.Pause(ctx, s, "mail"), 1, atrest.Subscription{Name: "mail", Position: 1, Paused: true})
		commit(t, s, "b")
		after("committing", nil, 1, atrest.Subscription{Name: "mail", Position: 1, Paused: true})
		after("resuming", atrest.Resume(ctx, s, "mail"), 2, atrest.Subscription{Name: "mail", Position: 2})
		after("rewinding", atrest.Rewind(ctx, s, "mail", 0), 4, atrest.Subscription{Name: "mail", Position: 2})
		end()
		ended.Wait()
		after("forgetting", atrest.Unsubscribe(ctx, s, "mail"), 4)
	})
}

// commit journals the first entry of an integration.
func commit(t *testing.T, s store.Store, integration string) {
	t.Helper()
	_, err := s.Commit(t.Context(), store.Commit{
		Entry: store.Entry{ID: store.NewEntryID(time.Now()), Integration: integration}, Record: []byte("r"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// calls are all functions that control subscriptions.
var calls = map[string]func(ctx context.Context, s store.Store, name string) error{
	"Pause":       atrest.Pause,
	"Resume":      atrest.Resume,
	"Unsubscribe": atrest.Unsubscribe,
	"Rewind": func(ctx context.Context, s store.Store, name string) error {
		return atrest.Rewind(ctx, s, name, 0)
	},
	"DiscardDeadLetters": func(ctx context.Context, s store.Store, name string) error {
		return atrest.DiscardDeadLetters(ctx, s, name, atrest.DeadLetter{})
	},
	"DeadLetters": func(ctx context.Context, s store.Store, name string) error {
		_, err := atrest.DeadLetters(ctx, s, name)
		return err
	},
	"Subscriptions": func(ctx context.Context, s store.Store, _ string) error {
		_, err := atrest.Subscriptions(ctx, s)
		return err
	},
}

// TestInvalid: what makes no sense is ErrInvalid, and changes nothing.
func TestInvalid(t *testing.T) {
	s := memstore.New(nil)
	for name, call := range calls {
		if err := call(t.Context(), s, ""); name != "Subscriptions" && !errors.Is(err, atrest.ErrInvalid) {
			t.Errorf("%s of no name: %v", name, err)
		}
	}
	if err := atrest.Rewind(t.Context(), s, "mail", 1); !errors.Is(err, atrest.ErrInvalid) {
		t.Errorf("a rewind to beyond the end: %v", err)
	}
	for ref, err := range s.ScanSealed(t.Context()) {
		t.Errorf("something is kept: %+v, %v", ref, err)
	}
}

const secret = "canary-token"

// strange is a store that panics, fails with an error that quotes, or hangs.
type strange struct {
	store.Store
	how string
}

func (s strange) misbehave(ctx context.Context) error {
	switch s.how {
	case "panics":
		panic(secret)
	case "hangs":
		<-ctx.Done()
		return ctx.Err()
	}
	return errors.New(secret)
}

func (s strange) Sealed(ctx context.Context, _ store.Ref) ([]byte, error) {
	return nil, s.misbehave(ctx)
}

func (s strange) Bounds(ctx context.Context) (first, last store.Position, err error) {
	return 0, 0, s.misbehave(ctx)
}

func (s strange) Shred(ctx context.Context, _ ...store.Ref) error { return s.misbehave(ctx) }

func (s strange) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return func(yield func(store.Ref, error) bool) { yield(store.Ref{}, s.misbehave(ctx)) }
}

// TestStrangeStore: every function ends with an error that quotes nothing, whatever its
// store does.
func TestStrangeStore(t *testing.T) {
	for _, how := range []string{"panics", "hangs", "fails"} {
		for name, call := range calls {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := call(context.Background(), strange{how: how}, "mail")
				if err == nil || !strings.HasPrefix(err.Error(), "atrest: ") || strings.Contains(err.Error(), secret) {
					t.Errorf("%s where the store %s: %v", name, how, err)
				}
				if took := time.Since(began); took > guard.Patience {
					t.Errorf("%s where the store %s took %v", name, how, took)
				}
			})
		}
	}
}
