package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// TestIsAnswer: the six errors that a store may answer with, wrapped or not; everything
// else is a failure.
func TestIsAnswer(t *testing.T) {
	for _, err := range []error{
		store.ErrConflict, store.ErrOwned, store.ErrNotFound, store.ErrFenced, store.ErrTrimmed, store.ErrInvalid,
		&store.OwnedError{Digest: lifecycle.Digest{1}, Owner: "a"},
	} {
		if !store.IsAnswer(err) || !store.IsAnswer(fmt.Errorf("wrapped: %w", err)) {
			t.Errorf("%v is no answer", err)
		}
	}
	for _, err := range []error{nil, context.Canceled, store.NewFailure("the disk is full"), errors.New("made-up")} {
		if store.IsAnswer(err) {
			t.Errorf("%v is an answer", err)
		}
	}
}

// TestErrorsHoldNoValues: an OwnedError names the owner in a field and not in its text, and
// the text of a Failure is what may be logged.
func TestErrorsHoldNoValues(t *testing.T) {
	var err error = &store.OwnedError{Digest: lifecycle.Digest{1}, Owner: "the owner"}
	if !errors.Is(err, store.ErrOwned) || err.Error() != store.ErrOwned.Error() {
		t.Errorf("it says %q", err)
	}
	var f store.Failure
	if err := fmt.Errorf("wrapped: %w", store.NewFailure("the disk is full")); !errors.As(err, &f) || f.Failure() != "the disk is full" {
		t.Errorf("the failure in %v is %v", err, f)
	}
}
