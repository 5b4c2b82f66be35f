package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/keyrack-dev/keyrack/store"
)

// conductFaults are those that any method may have.
var conductFaults = []fault{
	{"Annotate ignores its context", "Context/that has ended is what every method answers with", func(s *planted) {
		s.annotate = func(ctx context.Context, annotations ...store.Annotation) error {
			return s.sound.Annotate(context.WithoutCancel(ctx), annotations...)
		}
	}},
	{"History ignores its context", "Context/that has ended is what every method answers with", func(s *planted) {
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return s.sound.History(context.WithoutCancel(ctx), integration, after)
		}
	}},
	{"a context's end is told in other words", "Context/that has ended is what every method answers with", func(s *planted) {
		s.load = func(ctx context.Context, integration string) (store.Stored, error) {
			stored, err := s.sound.Load(ctx, integration)
			if ctx.Err() != nil {
				err = errors.New("connection closed")
			}
			return stored, err
		}
	}},
	{"Load tells what it did not find", "Errors/hold no values", func(s *planted) {
		s.load = func(ctx context.Context, integration string) (store.Stored, error) {
			stored, err := s.sound.Load(ctx, integration)
			if err != nil {
				err = fmt.Errorf("integration %s: %w", integration, err)
			}
			return stored, err
		}
	}},
	{"an error deep down quotes the digest", "Errors/hold no values", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			if errors.Is(err, store.ErrConflict) && len(c.Claim) > 0 {
				err = quiet{errors.Join(err, fmt.Errorf("key (digest)=(\\x%x)", c.Claim[0].Digest[:]))}
			}
			return r, err
		}
	}},
	{"a record is kept as it was given", "Bytes/that a store was given may be changed afterwards", func(s *planted) {
		var records sync.Map
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			if err == nil && !r.Repeated {
				records.Store(c.Entry.Integration, c.Record)
			}
			return r, err
		}
		s.load = func(ctx context.Context, integration string) (store.Stored, error) {
			stored, err := s.sound.Load(ctx, integration)
			if record, ok := records.Load(integration); ok && err == nil {
				stored.Record = append([]byte(nil), record.([]byte)...)
			}
			return stored, err
		}
	}},
	{"a commit is wiped once it is kept", "Bytes/that a store is given may share an array, and are left as they are", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			clear(c.Body)
			return r, err
		}
	}},
	{"a sealed value is returned as it is kept", "Bytes/that a store returned may be changed afterwards", func(s *planted) {
		var values sync.Map
		s.sealed = func(ctx context.Context, ref store.Ref) ([]byte, error) {
			value, err := s.sound.Sealed(ctx, ref)
			if kept, ok := values.LoadOrStore(ref, value); ok && err == nil && len(kept.([]byte)) == len(value) {
				value = kept.([]byte)
			}
			return value, err
		}
	}},
	{"evidence and decision share an array", "Bytes/that a store returned may be changed afterwards", func(s *planted) {
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return yielding(func() ([]store.Entry, error) {
				all, err := collect(s.sound.History(ctx, integration, after))
				for i, e := range all {
					both := append(append([]byte(nil), e.Evidence...), e.Decision...)
					all[i].Evidence, all[i].Decision = both[:len(e.Evidence)], both[len(e.Evidence):]
				}
				return all, err
			})
		}
	}},
}

// quiet is an error that holds more than it says.
type quiet struct{ error }

func (q quiet) Error() string { return "conflict" }
func (q quiet) Unwrap() error { return q.error }
