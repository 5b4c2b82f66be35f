package sqlitestore

import (
	"context"
	"database/sql/driver"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	selectLease = `SELECT holder, fence, until FROM lease WHERE name = ?`
	upsertLease = `INSERT INTO lease (name, holder, fence, until, position) VALUES (?, ?, ?, ?, 0)
		ON CONFLICT DO UPDATE SET holder = excluded.holder, fence = excluded.fence, until = excluded.until`
	releaseLease = `UPDATE lease SET holder = NULL WHERE name = ? AND holder = ? AND fence = ?`
	moveCursor   = `UPDATE lease SET position = ? WHERE name = ? AND holder = ? AND fence = ?`
	selectCursor = `SELECT position FROM lease WHERE name = ?`
)

// Acquire takes or renews the lease of a name, by the wall clock of the machine.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if name == "" || holder == "" {
		return store.Lease{}, s.nothing(ctx, store.ErrInvalid)
	}
	name, holder = strings.Clone(name), strings.Clone(holder)
	var taken store.Lease
	err := s.write(ctx, func(l *link) error {
		ctx := context.Background()
		now := time.Now()
		var current string
		var fence, until int64
		err := l.query(ctx, selectLease, func(row []driver.Value) {
			current, _ = row[0].(string)
			fence, _ = row[1].(int64)
			until, _ = row[2].(int64)
		}, name)
		if err != nil {
			return err
		}
		if current != "" && current != holder && now.UnixMicro() < until {
			return store.ErrFenced
		}
		if current != holder {
			fence++
		}
		until = now.Add(ttl).UnixMicro()
		taken = store.Lease{Name: name, Holder: holder, Fence: uint64(fence), Until: time.UnixMicro(until)}
		_, _, err = l.exec(ctx, upsertLease, name, holder, fence, until)
		return err
	})
	if err != nil {
		return store.Lease{}, err
	}
	return taken, nil
}

// Release gives a lease up.
func (s *Store) Release(ctx context.Context, l store.Lease) error {
	return s.holding(ctx, l, releaseLease)
}

// Advance moves the cursor of the lease's name.
func (s *Store) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	return s.holding(ctx, l, moveCursor, int64(to))
}

// holding runs a statement that changes a row if the lease is still the newest of its
// name. It returns ErrFenced if no row was changed.
func (s *Store) holding(ctx context.Context, of store.Lease, query string, args ...driver.Value) error {
	args = append(args, of.Name, of.Holder, number(of.Fence))
	return s.write(ctx, func(l *link) error {
		changed, _, err := l.exec(context.Background(), query, args...)
		if err == nil && changed == 0 {
			err = store.ErrFenced
		}
		return err
	})
}

// Cursor returns where a name's cursor stands, 0 for a new one.
func (s *Store) Cursor(ctx context.Context, name string) (store.Position, error) {
	var at int64
	err := s.read(ctx, selectCursor, func(row []driver.Value) { at, _ = row[0].(int64) }, name)
	return store.Position(at), err
}
