package subscription

import (
	"context"
	"errors"
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

// DeadLetters returns a subscription's dead letters, in no given order.
func DeadLetters(ctx context.Context, s store.Store, name string) ([]DeadLetter, error) {
	var letters []DeadLetter
	for ref, err := range s.ScanSealed(ctx) {
		if err != nil {
			return nil, err
		}
		id, ok := strings.CutPrefix(ref.Name, deadPrefix(name))
		if !ok || strings.Contains(id, " ") { // of a longer name
			continue
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

// DiscardDeadLetters forgets dead letters.
func DiscardDeadLetters(ctx context.Context, s store.Store, name string, letters ...DeadLetter) error {
	refs := make([]store.Ref, len(letters))
	for i, letter := range letters {
		refs[i] = store.Ref{Name: deadPrefix(name) + letter.Entry.String()}
	}
	return s.Shred(ctx, refs...)
}
