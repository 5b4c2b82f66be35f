package subscription

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/store"
)

// mark begins the name under which the store remembers that a subscription exists.
// Trimming waits for all subscriptions that exist. No other name that this package uses
// begins with it.
const mark = "subscribed "

func markRef(name string) store.Ref { return store.Ref{Name: mark + name} }

// LeaseName returns the name of a subscription's lease and cursor.
func LeaseName(name string) string { return "subscription " + name }

// control is what the operator wants of a subscription. It lies in the store, so it
// reaches the instance that works, now or later. It holds no secret and is not sealed.
type control struct {
	Paused bool `json:",omitzero"`
	// Rewind is the position to go back to; it is taken away once obeyed.
	Rewind *store.Position `json:",omitzero"`
	// Retry: the rewind is there to try dead letters again. Those after it count as gone, and
	// are forgotten by the instance that obeys, before it goes back: only it knows which of
	// them failed anew.
	Retry bool `json:",omitzero"`
	// Change identifies the latest wish. Its author recognizes by it that the wish was
	// written, even if it was obeyed already.
	Change store.EntryID `json:",omitzero"`
}

func controlRef(name string) store.Ref { return store.Ref{Name: "subscription " + name + " control"} }

func deadPrefix(name string) string { return "subscription " + name + " dead " }

func readControl(ctx context.Context, s store.Store, name string) (c control, old []byte, err error) {
	old, err = s.Sealed(ctx, controlRef(name))
	if errors.Is(err, store.ErrNotFound) {
		return control{}, nil, nil
	}
	if err == nil {
		err = json.Unmarshal(old, &c)
	}
	return c, old, err
}

func writeControl(ctx context.Context, s store.Store, name string, c control, old []byte) error {
	wanted, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.Reseal(ctx, controlRef(name), old, wanted)
}

// attempts bounds how often a wish is written again because another came first.
const attempts = 16

// change changes what is wanted of a subscription. What others want at the same time
// stays.
func change(ctx context.Context, s store.Store, name string, change func(*control)) error {
	id := store.NewEntryID(time.Now())
	for range attempts {
		c, old, err := readControl(ctx, s, name)
		if err != nil {
			return err
		}
		if c.Change == id {
			return nil
		}
		change(&c)
		c.Change = id
		if err := writeControl(ctx, s, name, c, old); err != nil {
			return err
		}
	}
	return fmt.Errorf("subscription: %d other wishes in a row: %w", attempts, store.ErrConflict)
}

// Pause stops a subscription within about a second, until Resume.
func Pause(ctx context.Context, s store.Store, name string) error {
	return change(ctx, s, name, func(c *control) { c.Paused = true })
}

// Resume lets a paused subscription go on.
func Resume(ctx context.Context, s store.Store, name string) error {
	return change(ctx, s, name, func(c *control) { c.Paused = false })
}

// ErrBeyond: the journal has not reached the position.
var ErrBeyond = errors.New("the journal has not reached that position")

// Rewind makes a subscription begin again after a position. The error is ErrBeyond if
// the journal has not reached it.
func Rewind(ctx context.Context, s store.Store, name string, after store.Position) error {
	_, last, err := s.Bounds(ctx)
	if err != nil {
		return err
	}
	if after > last {
		return ErrBeyond
	}
	return change(ctx, s, name, func(c *control) { c.Rewind, c.Retry = &after, false })
}

// State is where a subscription stands.
type State struct {
	Name     string
	Position store.Position // everything up to it is done
	Paused   bool
	Dead     int // dead letters
}

// names yields the names of all subscriptions that a store knows of, in byte order.
func names(ctx context.Context, s store.Store) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name, err := range s.Names(ctx, mark) {
			if !yield(strings.TrimPrefix(name, mark), err) || err != nil {
				return
			}
		}
	}
}

// States returns all subscriptions that a store knows of, by name.
func States(ctx context.Context, s store.Store) ([]State, error) {
	all := []State{}
	for name, err := range names(ctx, s) {
		if err != nil {
			return nil, err
		}
		at, err := s.Cursor(ctx, LeaseName(name))
		if err != nil {
			return nil, err
		}
		c, _, err := readControl(ctx, s, name)
		if err != nil {
			return nil, err
		}
		n := 0
		for _, err := range letterRefs(ctx, s, name) {
			if err != nil {
				return nil, err
			}
			n++
		}
		if c.Retry && n > 0 {
			letters, err := DeadLetters(ctx, s, name)
			if err != nil {
				return nil, err
			}
			n = len(letters)
		}
		all = append(all, State{name, at, c.Paused, n})
	}
	return all, nil
}

// DoneBefore returns the position up to which every subscription of a store is done, at
// most end.
func DoneBefore(ctx context.Context, s store.Store, end store.Position) (store.Position, error) {
	for name, err := range names(ctx, s) {
		if err != nil {
			return 0, err
		}
		at, err := s.Cursor(ctx, LeaseName(name))
		if err != nil {
			return 0, err
		}
		end = min(end, at)
	}
	return end, nil
}

// ErrRunning: an instance works for the subscription, or one that worked for it died less
// than its lease ago.
var ErrRunning = errors.New("an instance runs the subscription: stop it there, then try again")

// forgetTTL is how long the removal of a subscription keeps instances off that would begin
// it meanwhile.
const forgetTTL = time.Minute

// Forget removes a subscription from the store: its dead letters, what was wanted of it,
// and that it exists. Its cursor stays, and a new subscription of the name ignores it. The
// error is ErrRunning, and nothing is removed, while an instance works for it.
func Forget(ctx context.Context, s store.Store, name string) error {
	l, err := s.Acquire(ctx, LeaseName(name), store.NewEntryID(time.Now()).String(), forgetTTL)
	if errors.Is(err, store.ErrFenced) {
		return ErrRunning
	}
	if err != nil {
		return err
	}
	defer func() { _ = s.Release(context.WithoutCancel(ctx), l) }() // else it runs out
	if err := forgetAfter(ctx, s, name, 0); err != nil {
		return err
	}
	return s.Shred(ctx, controlRef(name), markRef(name), aheadRef(name))
}
