package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	acquire = `insert into keyrack.lease as l (name, holder, fence, until, position)
values ($1::bytea, $2::bytea, 1, now() + $3::bigint * interval '1 microsecond', 0)
on conflict (name) do update set
  holder = excluded.holder, until = excluded.until,
  fence = case when l.holder = excluded.holder then l.fence else l.fence + 1 end
where l.holder is null or l.holder = excluded.holder or l.until <= now()
returning fence, until`
	release   = `update keyrack.lease set holder = null where name = $1::bytea and holder = $2::bytea and fence = $3::bigint`
	advance   = `update keyrack.lease set position = $4::bigint where name = $1::bytea and holder = $2::bytea and fence = $3::bigint`
	getCursor = `select position from keyrack.lease where name = $1::bytea`
)

// Acquire takes or renews the lease of a name, by the clock of the database.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if name == "" || holder == "" {
		return store.Lease{}, s.run(ctx, freely, func() error { return store.ErrInvalid })
	}
	var fence int64
	var until time.Time
	err := s.row(ctx, freely, store.ErrFenced, acquire, []any{[]byte(name), []byte(holder), ttl.Microseconds()}, &fence, &until)
	if err != nil {
		return store.Lease{}, err
	}
	return store.Lease{Name: name, Holder: holder, Fence: uint64(fence), Until: until}, nil
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
