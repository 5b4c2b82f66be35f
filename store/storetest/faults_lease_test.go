package storetest

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// reacquire plants a change of what Acquire returns.
func reacquire(f func(l store.Lease, err error) (store.Lease, error)) func(*planted) {
	return func(s *planted) {
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			return f(s.sound.Acquire(ctx, name, holder, ttl))
		}
	}
}

// cursors plants cursors that take precedence over the true ones.
func (s *planted) cursors() *sync.Map {
	var cursors sync.Map
	s.cursor = func(ctx context.Context, name string) (store.Position, error) {
		if at, ok := cursors.Load(name); ok {
			return at.(store.Position), nil
		}
		return s.sound.Cursor(ctx, name)
	}
	return &cursors
}

// leaseFaults are those of leases and cursors.
var leaseFaults = []fault{
	{"a lease does not say what it is", "Acquire/of a free name returns the lease", reacquire(func(l store.Lease, err error) (store.Lease, error) {
		l.Until = time.Time{}
		return l, err
	})},
	{"everybody gets the lease", "Acquire/of a name that is held is ErrFenced", reacquire(func(l store.Lease, err error) (store.Lease, error) {
		if errors.Is(err, store.ErrFenced) {
			return store.Lease{Name: "name", Holder: "holder", Fence: 1}, nil
		}
		return l, err
	})},
	{"names are folded to lower case", "Acquire/of one name says nothing about another", func(s *planted) {
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			return s.sound.Acquire(ctx, strings.ToLower(name), holder, ttl)
		}
	}},
	{"each renewal has a new fence", "Acquire/by its holder renews the lease and keeps the fence", func(s *planted) {
		var mu sync.Mutex
		held := map[string]store.Lease{}
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			mu.Lock()
			defer mu.Unlock()
			if l, ok := held[name]; ok && l.Holder == holder {
				s.sound.Release(ctx, l)
			}
			l, err := s.sound.Acquire(ctx, name, holder, ttl)
			if err == nil {
				held[name] = l
			}
			return l, err
		}
	}},
	{"a lease never runs out", "Acquire/succeeds once the lease has run out, with a greater fence", func(s *planted) {
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			return s.sound.Acquire(ctx, name, holder, max(ttl, time.Hour))
		}
	}},
	{"the fence does not rise", "Acquire/succeeds once the lease has run out, with a greater fence", reacquire(func(l store.Lease, err error) (store.Lease, error) {
		l.Fence = min(l.Fence, 1)
		return l, err
	})},
	{"a renewal does not prolong", "Acquire/that renews holds others off for longer", func(s *planted) {
		var mu sync.Mutex
		held := map[string]store.Lease{}
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			mu.Lock()
			defer mu.Unlock()
			if l, ok := held[name]; ok && l.Holder == holder && time.Now().Before(l.Until) {
				l.Until = time.Now().Add(ttl)
				return l, ctx.Err()
			}
			l, err := s.sound.Acquire(ctx, name, holder, ttl)
			if err == nil {
				held[name] = l
			}
			return l, err
		}
	}},
	{"whether a name is free is asked before it is taken", "Acquire/by many at once has one winner", func(s *planted) {
		var held sync.Map
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			_, taken := held.Load(name)
			time.Sleep(100 * time.Microsecond)
			l, err := s.sound.Acquire(ctx, name, holder, ttl)
			held.Store(name, true)
			if !taken && errors.Is(err, store.ErrFenced) {
				return store.Lease{Name: name, Holder: holder, Fence: 2, Until: time.Now().Add(ttl)}, nil
			}
			return l, err
		}
	}},
	{"a date is believed", "Acquire/of a lease from the future succeeds once it was seen unrenewed for its length", func(s *planted) {
		wrong := false
		s.ahead = func(time.Duration) { wrong = true }
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			if wrong {
				return store.Lease{}, store.ErrFenced
			}
			return s.sound.Acquire(ctx, name, holder, ttl)
		}
	}},
	{"a date that cannot be is no date", "Acquire/of a lease from the future succeeds once it was seen unrenewed for its length", func(s *planted) {
		s.ahead = func(time.Duration) {
			s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
				return store.Lease{Name: name, Holder: holder, Fence: 2, Until: time.Now().Add(ttl)}, nil
			}
		}
	}},
	{"that a lease is renewed is not seen", "Acquire/of a lease from the future is refused for as long as it is renewed", func(s *planted) {
		first := map[string]time.Time{}
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			l, err := s.sound.Acquire(ctx, name, holder, ttl)
			if errors.Is(err, store.ErrFenced) {
				if since, ok := first[name]; !ok {
					first[name] = time.Now()
				} else if time.Since(since) > time.Second {
					return store.Lease{Name: name, Holder: holder, Fence: 2, Until: time.Now().Add(ttl)}, nil
				}
			}
			return l, err
		}
	}},
	{"nobody is a holder, too", "Acquire/without a name or a holder is ErrInvalid", func(s *planted) {
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			return s.sound.Acquire(ctx, name, cmp.Or(holder, "nobody"), ttl)
		}
	}},
	{"Release does nothing", "Release/frees the name, and what follows has a greater fence", func(s *planted) {
		s.release = func(ctx context.Context, l store.Lease) error { return ctx.Err() }
	}},
	{"the same holder gets the same fence after Release", "Release/frees the name, and what follows has a greater fence", func(s *planted) {
		var fences sync.Map
		s.acquire = func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
			l, err := s.sound.Acquire(ctx, name, holder, ttl)
			if err == nil {
				fence, _ := fences.LoadOrStore(name+"/"+holder, l.Fence)
				l.Fence = fence.(uint64)
			}
			return l, err
		}
	}},
	{"a lost lease can be released", "Release/of a lease that was lost or given up is ErrFenced and changes nothing", func(s *planted) {
		s.release = func(ctx context.Context, l store.Lease) error {
			if err := s.sound.Release(ctx, l); !errors.Is(err, store.ErrFenced) {
				return err
			}
			return nil
		}
	}},
	{"what has run out cannot be released", "Release/of a lease that has run out and that nobody took succeeds", func(s *planted) {
		s.release = func(ctx context.Context, l store.Lease) error {
			if time.Now().After(l.Until) {
				return store.ErrFenced
			}
			return s.sound.Release(ctx, l)
		}
	}},
	{"cursors move forward only", "Advance/moves the cursor of the name, back too", func(s *planted) {
		s.advance = func(ctx context.Context, l store.Lease, to store.Position) error {
			at, _ := s.sound.Cursor(ctx, l.Name)
			return s.sound.Advance(ctx, l, max(at, to))
		}
	}},
	{"a stale lease may advance", "Advance/with any but the newest lease is ErrFenced and moves nothing", func(s *planted) {
		cursors := s.cursors()
		s.advance = func(ctx context.Context, l store.Lease, to store.Position) error {
			err := s.sound.Advance(ctx, l, to)
			if errors.Is(err, store.ErrFenced) && l.Fence > 0 {
				cursors.Store(l.Name, to)
				err = nil
			}
			return err
		}
	}},
	{"a stale lease advances, and is told that it did not", "Advance/with any but the newest lease is ErrFenced and moves nothing", func(s *planted) {
		cursors := s.cursors()
		s.advance = func(ctx context.Context, l store.Lease, to store.Position) error {
			cursors.Store(l.Name, to)
			return s.sound.Advance(ctx, l, to)
		}
	}},
	{"a lease that has run out may not advance", "Advance/with a lease that has run out and that nobody took succeeds", func(s *planted) {
		s.advance = func(ctx context.Context, l store.Lease, to store.Position) error {
			if time.Now().After(l.Until) {
				return store.ErrFenced
			}
			return s.sound.Advance(ctx, l, to)
		}
	}},
	{"Release resets the cursor", "Cursor/is 0 for a new name and outlasts every lease", func(s *planted) {
		s.release = func(ctx context.Context, l store.Lease) error {
			s.sound.Advance(ctx, l, 0)
			return s.sound.Release(ctx, l)
		}
	}},
}
