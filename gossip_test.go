package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// chatty is a store that quotes, in errors and panics, whatever it was given and
// whatever else it should not know.
type chatty struct {
	store.Store
	mu   sync.Mutex
	mood string // "", "error", "panic"
}

func (s *chatty) be(mood string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = mood
}

func (s *chatty) Volatile() bool { return true }

// gossip is an error that tells everything, in a type of its own.
type gossip string

func (g gossip) Error() string { return string(g) }

func (s *chatty) gossip(args ...any) error {
	s.mu.Lock()
	mood := s.mood
	s.mu.Unlock()
	told := fmt.Sprint(canaryTokens, canarySecrets, canaryPersons, canaryNames) + fmt.Sprintf("%+v %q %s", args, args, args)
	switch mood {
	case "error":
		return fmt.Errorf("saying %s: %w", told, gossip(told))
	case "panic":
		panic(told)
	}
	return nil
}

func (s *chatty) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if err := s.gossip(c, string(c.Record), string(c.Entry.Evidence), string(c.Body)); err != nil {
		return store.Committed{}, err
	}
	return s.Store.Commit(ctx, c)
}

func (s *chatty) Load(ctx context.Context, id string) (store.Stored, error) {
	if err := s.gossip(id); err != nil {
		return store.Stored{}, err
	}
	return s.Store.Load(ctx, id)
}

func (s *chatty) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	if err := s.gossip(ref); err != nil {
		return nil, err
	}
	return s.Store.Sealed(ctx, ref)
}

func (s *chatty) Annotate(ctx context.Context, annotations ...store.Annotation) error {
	if err := s.gossip(annotations); err != nil {
		return err
	}
	return s.Store.Annotate(ctx, annotations...)
}

func (s *chatty) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		if err := s.gossip(after); err != nil {
			yield(store.Entry{}, err)
			return
		}
		s.Store.Journal(ctx, after)(yield)
	}
}

func (s *chatty) History(ctx context.Context, id string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		if err := s.gossip(id); err != nil {
			yield(store.Entry{}, err)
			return
		}
		s.Store.History(ctx, id, after)(yield)
	}
}

func (s *chatty) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return func(yield func(store.Stored, error) bool) {
		if err := s.gossip(after); err != nil {
			yield(store.Stored{}, err)
			return
		}
		s.Store.Scan(ctx, after)(yield)
	}
}

func (s *chatty) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return func(yield func(store.Ref, error) bool) {
		if err := s.gossip(); err != nil {
			yield(store.Ref{}, err)
			return
		}
		s.Store.ScanSealed(ctx)(yield)
	}
}

func (s *chatty) Bounds(ctx context.Context) (store.Position, store.Position, error) {
	if err := s.gossip(); err != nil {
		return 0, 0, err
	}
	return s.Store.Bounds(ctx)
}

func (s *chatty) Shred(ctx context.Context, refs ...store.Ref) error {
	if err := s.gossip(refs); err != nil {
		return err
	}
	return s.Store.Shred(ctx, refs...)
}

func (s *chatty) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if err := s.gossip(name, holder); err != nil {
		return store.Lease{}, err
	}
	return s.Store.Acquire(ctx, name, holder, ttl)
}

func (s *chatty) Cursor(ctx context.Context, name string) (store.Position, error) {
	if err := s.gossip(name); err != nil {
		return 0, err
	}
	return s.Store.Cursor(ctx, name)
}

// indiscreet is a sealer that quotes the plain text.
type indiscreet struct {
	seal.Sealer
	mu   sync.Mutex
	mood string
}

func (s *indiscreet) be(mood string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = mood
}

func (s *indiscreet) tell(plain []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.mood {
	case "error":
		return errors.Join(fmt.Errorf("cannot seal %s", plain), gossip(plain))
	case "panic":
		panic(string(plain))
	}
	return nil
}

func (s *indiscreet) Seal(plain []byte, owner string) ([]byte, error) {
	if err := s.tell(plain); err != nil {
		return nil, err
	}
	return s.Sealer.Seal(plain, owner)
}

func (s *indiscreet) Open(sealed []byte, owner string) ([]byte, error) {
	plain, err := s.Sealer.Open(sealed, owner)
	if told := s.tell(plain); told != nil {
		return nil, told
	}
	return plain, err
}

// prattling is a prober whose errors and panics quote the token.
type prattling struct{ n int }

func (p *prattling) Probe(_ context.Context, token keyrack.Token, enterprise string) (connector.Answer, error) {
	p.n++
	if p.n%2 == 0 {
		panic(token.Reveal())
	}
	return connector.Answer{}, fmt.Errorf("asking about %s", token.Reveal())
}
