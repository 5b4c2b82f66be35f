package memstore

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// leases are all names that were ever acquired, with their cursors. They have a lock of
// their own, which is never held together with the store's.
type leases struct {
	mu    sync.Mutex
	names map[string]*lease
}

// lease is the state of one name. The holder is "" if it was given up.
type lease struct {
	holder string
	fence  uint64
	until  time.Time // with Go's monotonic clock
	cursor store.Position
}

// held returns the stored lease for l, if l is still the newest of its name.
func (ls *leases) held(l store.Lease) (*lease, error) {
	of := ls.names[l.Name]
	if of == nil || l.Holder == "" || of.holder != l.Holder || of.fence != l.Fence {
		return nil, store.ErrFenced
	}
	return of, nil
}

// Acquire takes or renews the lease of a name, by the clock of this process.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if err := ctx.Err(); err != nil {
		return store.Lease{}, err
	}
	if name == "" || holder == "" {
		return store.Lease{}, store.ErrInvalid
	}
	ls := &s.leases
	ls.mu.Lock()
	defer ls.mu.Unlock()
	now := time.Now()
	of := ls.names[name]
	switch {
	case of == nil:
		of = &lease{}
		if ls.names == nil {
			ls.names = map[string]*lease{}
		}
		ls.names[strings.Clone(name)] = of
	case of.holder != "" && of.holder != holder && now.Before(of.until):
		return store.Lease{}, store.ErrFenced
	}
	if of.holder != holder {
		of.holder = strings.Clone(holder)
		of.fence++
	}
	of.until = now.Add(ttl)
	return store.Lease{Name: name, Holder: holder, Fence: of.fence, Until: of.until}, nil
}

// Release gives a lease up.
func (s *Store) Release(ctx context.Context, l store.Lease) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	of, err := s.leases.held(l)
	if err != nil {
		return err
	}
	of.holder = ""
	return nil
}

// Advance moves the cursor of the lease's name.
func (s *Store) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	of, err := s.leases.held(l)
	if err != nil {
		return err
	}
	of.cursor = to
	return nil
}

// Cursor returns where a name's cursor stands, 0 for a new one.
func (s *Store) Cursor(ctx context.Context, name string) (store.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	if of := s.leases.names[name]; of != nil {
		return of.cursor, nil
	}
	return 0, nil
}
