package keyrack_test

import (
	"context"
	"errors"
	"sync"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// fault is one way in which a store can fail to answer.
type fault int

const (
	noFault     fault = iota
	failsBefore       // an error, and nothing happened
	failsAfter        // an error, and it happened: the answer was lost
	hangs             // no answer before the context ends, and nothing happened
	hangsAfter        // no answer before the context ends, and it happened
	conflicts         // ErrConflict out of the blue; of a commit alone
	numFaults
	panics // it panics
)

var errFault = errors.New("the store is not itself")

// faulty is a store that fails as it is told, one fault for each call that the
// work on evidence makes; what runs in the background is served as ever.
type faulty struct {
	store.Store

	mu     sync.Mutex
	faults []fault
	always fault // where faults are used up
	failed int
}

func (s *faulty) fail(faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = faults
}

func (s *faulty) next() fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.always
	if len(s.faults) > 0 {
		f, s.faults = s.faults[0], s.faults[1:]
	}
	if f != noFault {
		s.failed++
	}
	return f
}

// Volatile is what the store below says.
func (s *faulty) Volatile() bool { return true }

// do calls the store below, with a fault.
func do[T any](ctx context.Context, f fault, call func() (T, error)) (T, error) {
	var nothing T
	switch f {
	case failsBefore:
		return nothing, errFault
	case panics:
		panic("made-up token 0123456789")
	case hangs:
		<-ctx.Done()
		return nothing, ctx.Err()
	}
	result, err := call()
	if err != nil {
		return result, err
	}
	switch f {
	case failsAfter:
		return nothing, errFault
	case hangsAfter:
		<-ctx.Done()
		return nothing, ctx.Err()
	}
	return result, nil
}

func (s *faulty) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	f := s.next()
	if f == conflicts && c.Entry.Integration != "" {
		return store.Committed{}, store.ErrConflict
	}
	return do(ctx, f, func() (store.Committed, error) { return s.Store.Commit(ctx, c) })
}

func (s *faulty) Load(ctx context.Context, integration string) (store.Stored, error) {
	return do(ctx, s.next(), func() (store.Stored, error) { return s.Store.Load(ctx, integration) })
}

func (s *faulty) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	return do(ctx, s.next(), func() (string, error) { return s.Store.Owner(ctx, d) })
}

func (s *faulty) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	return do(ctx, s.next(), func() ([]byte, error) { return s.Store.Sealed(ctx, ref) })
}
