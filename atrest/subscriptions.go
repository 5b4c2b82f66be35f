package atrest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/store"
)

// ErrInvalid: an argument makes no sense: no name, or a position that the journal has
// not reached.
var ErrInvalid = errors.New("atrest: invalid argument")

// Subscription is where a subscription stands.
type Subscription struct {
	Name     string
	Position store.Position // everything up to it is done
	Paused   bool
	Dead     int // dead letters
}

// Subscriptions returns all subscriptions that the store knows of, whether an instance
// runs them or not, by name.
func Subscriptions(ctx context.Context, s store.Store) ([]Subscription, error) {
	states, err := subscription.States(ctx, guard.Store(s, nil))
	if err != nil {
		return nil, reading(err)
	}
	all := make([]Subscription, len(states))
	for i, state := range states {
		all[i] = Subscription(state)
	}
	return all, nil
}

func reading(err error) error { return fmt.Errorf("atrest: reading the store: %w", err) }

// Pause stops a subscription on whatever instance it works, within about a second, or
// after the call that is under way, and across restarts. Nothing is lost: after Resume
// it goes on where it stood. A subscription that the store does not know yet begins
// paused. The error is ErrInvalid or the store's.
func Pause(ctx context.Context, s store.Store, name string) error {
	return control(s, name, func(s store.Store) error { return subscription.Pause(ctx, s, name) })
}

// Resume lets a paused subscription go on.
func Resume(ctx context.Context, s store.Store, name string) error {
	return control(s, name, func(s store.Store) error { return subscription.Resume(ctx, s, name) })
}

// Rewind has a subscription begin again after a position of the journal, 0 for all
// that is left of it. Its handler sees the same entry ids again. A position that the
// journal has not reached is ErrInvalid.
func Rewind(ctx context.Context, s store.Store, name string, after store.Position) error {
	return control(s, name, func(s store.Store) error { return subscription.Rewind(ctx, s, name, after) })
}

// Unsubscribe forgets a subscription that no instance runs any more: its dead letters
// and what was wanted of it. Trimming the journal no longer waits for it. While an instance
// runs it, the error is ErrInvalid, and nothing is forgotten; the same holds for up to
// Options.Takeover after an instance died.
func Unsubscribe(ctx context.Context, s store.Store, name string) error {
	return control(s, name, func(s store.Store) error { return subscription.Forget(ctx, s, name) })
}

var errNoName = fmt.Errorf("%w: a subscription has a name", ErrInvalid)

func control(s store.Store, name string, do func(store.Store) error) error {
	if name == "" {
		return errNoName
	}
	err := do(guard.Store(s, nil))
	switch {
	case errors.Is(err, ErrNoLetters):
		return err
	case errors.Is(err, subscription.ErrBeyond), errors.Is(err, subscription.ErrRunning):
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	case err != nil:
		return fmt.Errorf("atrest: controlling a subscription: %w", err)
	}
	return nil
}

// DeadLetter is a change that a subscription's handler failed at for good.
type DeadLetter struct {
	Entry       store.EntryID
	Position    store.Position
	Integration string
	Attempts    int
	At          time.Time // of the last attempt
}

// DeadLetters returns a subscription's dead letters, in no given order. The error is
// ErrInvalid for an empty name, or the store's.
func DeadLetters(ctx context.Context, s store.Store, name string) ([]DeadLetter, error) {
	if name == "" {
		return nil, errNoName
	}
	letters, err := subscription.DeadLetters(ctx, guard.Store(s, nil), name)
	if err != nil {
		return nil, reading(err)
	}
	var all []DeadLetter
	for _, letter := range letters {
		all = append(all, DeadLetter(letter))
	}
	return all, nil
}

// ErrNoLetters: the subscription has no such dead letters.
var ErrNoLetters = subscription.ErrNoLetters

// RetryDeadLetters has a subscription begin again just before its oldest dead letter at or
// after a position, 0 for all of them, and forgets the letters from there on. Its handler
// gets those changes again, and all that came between, with the same entry ids. It returns
// how many letters they were, and after which position the subscription begins again. The
// error is ErrNoLetters, ErrInvalid for an empty name, or the store's.
func RetryDeadLetters(ctx context.Context, s store.Store, name string, from store.Position) (n int, after store.Position, err error) {
	err = control(s, name, func(s store.Store) error {
		n, after, err = subscription.RetryDeadLetters(ctx, s, name, from)
		return err
	})
	return n, after, err
}

// DiscardDeadLetters forgets dead letters that somebody has seen to. Letters that are
// gone already are passed over. The error is ErrInvalid for an empty name, or the
// store's.
func DiscardDeadLetters(ctx context.Context, s store.Store, name string, letters ...DeadLetter) error {
	discarded := make([]subscription.DeadLetter, len(letters))
	for i, letter := range letters {
		discarded[i] = subscription.DeadLetter(letter)
	}
	return control(s, name, func(s store.Store) error {
		return subscription.DiscardDeadLetters(ctx, s, name, discarded...)
	})
}
