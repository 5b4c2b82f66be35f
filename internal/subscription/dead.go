package subscription

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/store"
)

// DeadLetter is an entry that a subscription's handler failed at for good.
type DeadLetter struct {
	Entry       store.EntryID
	Position    store.Position
	Integration string
	Attempts    int
	At          time.Time // of the last attempt
}

// bury keeps a dead letter.
func bury(ctx context.Context, s store.Store, name string, letter DeadLetter) error {
	value, err := json.Marshal(letter)
	if err != nil {
		return err
	}
	return s.Reseal(ctx, store.Ref{Name: deadPrefix(name) + letter.Entry.String()}, nil, value)
}

// DeadLetters returns a subscription's dead letters, in no given order. Those that are to be
// tried again are none any more.
func DeadLetters(ctx context.Context, s store.Store, name string) ([]DeadLetter, error) {
	letters, err := allLetters(ctx, s, name)
	if err != nil {
		return nil, err
	}
	c, _, err := readControl(ctx, s, name)
	if err == nil && c.Retry && c.Rewind != nil {
		letters = slices.DeleteFunc(letters, func(l DeadLetter) bool { return l.Position > *c.Rewind })
	}
	return letters, err
}

// letterRefs yields where the dead letters are that are kept.
func letterRefs(ctx context.Context, s store.Store, name string) iter.Seq2[store.Ref, error] {
	return func(yield func(store.Ref, error) bool) {
		for letter, err := range s.Names(ctx, deadPrefix(name)) {
			if err == nil && strings.Contains(letter[len(deadPrefix(name)):], " ") { // of a longer name
				continue
			}
			if !yield(store.Ref{Name: letter}, err) || err != nil {
				return
			}
		}
	}
}

// allLetters returns all dead letters that are kept.
func allLetters(ctx context.Context, s store.Store, name string) (letters []DeadLetter, err error) {
	for ref, err := range letterRefs(ctx, s, name) {
		if err != nil {
			return nil, err
		}
		value, err := s.Sealed(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		var letter DeadLetter
		if err == nil {
			err = json.Unmarshal(value, &letter)
		}
		if err != nil {
			return nil, err
		}
		letters = append(letters, letter)
	}
	return letters, nil
}

// ErrNoLetters: the subscription has no such dead letters.
var ErrNoLetters = errors.New("there are no such dead letters")

// RetryDeadLetters has a subscription begin again just before its oldest dead letter at or
// after a position, and forgets the letters from there on: the handler gets those changes
// again, and all that came between. It returns how many letters they were and where the
// subscription begins again. The error is ErrNoLetters where there are none.
func RetryDeadLetters(ctx context.Context, s store.Store, name string, from store.Position) (n int, after store.Position, err error) {
	letters, err := DeadLetters(ctx, s, name)
	if err != nil {
		return 0, 0, err
	}
	letters = slices.DeleteFunc(letters, func(l DeadLetter) bool { return l.Position < from })
	if len(letters) == 0 {
		return 0, 0, ErrNoLetters
	}
	after = slices.MinFunc(letters, func(a, b DeadLetter) int { return cmp.Compare(a.Position, b.Position) }).Position - 1
	return len(letters), after, change(ctx, s, name, func(c *control) {
		if c.Rewind == nil || *c.Rewind > after {
			c.Rewind = &after
		}
		c.Retry = true
	})
}

// forgetAfter forgets the dead letters after a position.
func forgetAfter(ctx context.Context, s store.Store, name string, after store.Position) error {
	letters, err := allLetters(ctx, s, name)
	if err != nil {
		return err
	}
	return DiscardDeadLetters(ctx, s, name, slices.DeleteFunc(letters, func(l DeadLetter) bool { return l.Position <= after })...)
}

// DiscardDeadLetters forgets dead letters.
func DiscardDeadLetters(ctx context.Context, s store.Store, name string, letters ...DeadLetter) error {
	refs := make([]store.Ref, len(letters))
	for i, letter := range letters {
		refs[i] = store.Ref{Name: deadPrefix(name) + letter.Entry.String()}
	}
	return s.Shred(ctx, refs...)
}
