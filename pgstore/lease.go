package pgstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	// The last three parameters are a lease that is void whatever date stands in it; null
	// for none.
	acquire = `insert into keyrack.lease as l (name, holder, fence, until, length, position)
values ($1::bytea, $2::bytea, 1, now() + $3::bigint * interval '1 microsecond', $3::bigint, 0)
on conflict (name) do update set
  holder = excluded.holder, until = excluded.until, length = excluded.length,
  fence = case when l.holder = excluded.holder then l.fence else l.fence + 1 end
where l.holder is null or l.holder = excluded.holder or l.until <= now()
  or (l.holder = $4::bytea and l.fence = $5::bigint and l.until = $6::timestamptz)
returning fence, until`
	seeLease  = `select holder, fence, until, length from keyrack.lease where name = $1::bytea and holder is not null`
	release   = `update keyrack.lease set holder = null where name = $1::bytea and holder = $2::bytea and fence = $3::bigint`
	advance   = `update keyrack.lease set position = $4::bigint where name = $1::bytea and holder = $2::bytea and fence = $3::bigint`
	getCursor = `select position from keyrack.lease where name = $1::bytea`
)

// sighting is a lease of another holder's as this process last saw it, and since when, by
// its own monotonic clock.
type sighting struct {
	holder string
	fence  int64
	until  time.Time
	since  time.Time
}

// sightings are those of all names.
type sightings struct {
	mu     sync.Mutex
	byName map[string]sighting
}

// unrenewed reports whether another's lease was seen as it is for its whole length. Then it
// is void whatever date stands in it: the clock that wrote it may have been wrong.
func (all *sightings) unrenewed(name string, seen sighting, length time.Duration) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	last, ok := all.byName[name]
	if !ok || last.holder != seen.holder || last.fence != seen.fence || !last.until.Equal(seen.until) {
		if all.byName == nil {
			all.byName = make(map[string]sighting)
		}
		seen.since = time.Now()
		all.byName[name] = seen
		return false
	}
	return time.Since(last.since) >= length
}

func (all *sightings) forget(name string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byName, name)
}

// Acquire takes or renews the lease of a name. Another's lease ends by the clock of the
// database, and at the latest once this process has seen it unrenewed for its length.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if name == "" || holder == "" {
		return store.Lease{}, s.run(ctx, freely, func() error { return store.ErrInvalid })
	}
	l, err := s.acquire(ctx, name, holder, ttl, nil)
	if !errors.Is(err, store.ErrFenced) {
		return l, err
	}
	void, failed := s.voidLease(ctx, name, ttl)
	if failed != nil || void == nil {
		return l, err
	}
	return s.acquire(ctx, name, holder, ttl, void)
}

// acquire tries once. void is a lease that does not count; nil for none.
func (s *Store) acquire(ctx context.Context, name, holder string, ttl time.Duration, void *sighting) (store.Lease, error) {
	args := []any{[]byte(name), []byte(holder), ttl.Microseconds(), nil, nil, nil}
	if void != nil {
		args[3], args[4], args[5] = []byte(void.holder), void.fence, void.until
	}
	var fence int64
	var until time.Time
	if err := s.row(ctx, freely, store.ErrFenced, acquire, args, &fence, &until); err != nil {
		return store.Lease{}, err
	}
	s.sightings.forget(name)
	return store.Lease{Name: name, Holder: holder, Fence: uint64(fence), Until: until}, nil
}

// voidLease looks at the lease that stands in the way, and returns it if it was seen
// unrenewed for its length, or for ttl if that is not known.
func (s *Store) voidLease(ctx context.Context, name string, ttl time.Duration) (*sighting, error) {
	var holder []byte
	var length int64
	var seen sighting
	err := s.row(ctx, freely, store.ErrNotFound, seeLease, []any{[]byte(name)}, &holder, &seen.fence, &seen.until, &length)
	if err != nil {
		return nil, err
	}
	if length > 0 {
		ttl = time.Duration(length) * time.Microsecond
	}
	seen.holder = string(holder)
	if !s.sightings.unrenewed(name, seen, ttl) {
		return nil, nil
	}
	return &seen, nil
}

// Release gives a lease up.
func (s *Store) Release(ctx context.Context, l store.Lease) error {
	return fenced(s.exec(ctx, once, release, []byte(l.Name), []byte(l.Holder), int64(l.Fence)))
}

// Advance moves the cursor of the lease's name.
func (s *Store) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	// Positions above the database's largest number are returned as they were given.
	return fenced(s.exec(ctx, freely, advance, []byte(l.Name), []byte(l.Holder), int64(l.Fence), int64(to)))
}

// fenced returns ErrFenced unless the lease is the one that is stored.
func fenced(rows int64, err error) error {
	if err == nil && rows == 0 {
		return store.ErrFenced
	}
	return err
}

// Cursor returns where a name's cursor stands, 0 for a new one.
func (s *Store) Cursor(ctx context.Context, name string) (store.Position, error) {
	all, err := rows(ctx, s, getCursor, []any{[]byte(name)}, scanPosition)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[0], nil
}

func scanPosition(row pgx.CollectableRow) (store.Position, error) {
	var at int64
	err := row.Scan(&at)
	return store.Position(at), err
}
