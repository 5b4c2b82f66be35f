package sqlitestore

import (
	"context"
	"database/sql/driver"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	selectLease = `SELECT holder, fence, until, length FROM lease WHERE name = ?`
	upsertLease = `INSERT INTO lease (name, holder, fence, until, length, position) VALUES (?, ?, ?, ?, ?, 0)
		ON CONFLICT DO UPDATE SET holder = excluded.holder, fence = excluded.fence, until = excluded.until, length = excluded.length`
	releaseLease = `UPDATE lease SET holder = NULL WHERE name = ? AND holder = ? AND fence = ?`
	moveCursor   = `UPDATE lease SET position = ? WHERE name = ? AND holder = ? AND fence = ?`
	selectCursor = `SELECT position FROM lease WHERE name = ?`
)

// sighting is a lease of another holder's as this process last saw it, and since when, by
// its own monotonic clock.
type sighting struct {
	holder       string
	fence, until int64
	since        time.Time
}

// unrenewed reports whether another's lease was seen as it is for its whole length. Then it
// is void whatever date stands in it: the clock that wrote it may have been wrong. The
// goroutine that writes calls it.
func (s *Store) unrenewed(name string, seen sighting, length time.Duration) bool {
	last, ok := s.sightings[name]
	if seen.since = last.since; !ok || last != seen {
		seen.since = time.Now()
		s.sightings[name] = seen
		return false
	}
	return time.Since(last.since) >= length
}

// Acquire takes or renews the lease of a name. Another's lease ends by the wall clock of the
// machine, and at the latest once this process has seen it unrenewed for its length.
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
		var fence, until, length int64
		err := l.query(ctx, selectLease, func(row []driver.Value) {
			current, _ = row[0].(string)
			fence, _ = row[1].(int64)
			until, _ = row[2].(int64)
			length, _ = row[3].(int64)
		}, name)
		if err != nil {
			return err
		}
		if current != "" && current != holder && now.UnixMicro() < until {
			lasts := time.Duration(length) * time.Microsecond
			if length == 0 {
				lasts = ttl
			}
			if !s.unrenewed(name, sighting{holder: current, fence: fence, until: until}, lasts) {
				return store.ErrFenced
			}
		}
		delete(s.sightings, name)
		if current != holder {
			fence++
		}
		until = now.Add(ttl).UnixMicro()
		taken = store.Lease{Name: name, Holder: holder, Fence: uint64(fence), Until: time.UnixMicro(until)}
		_, _, err = l.exec(ctx, upsertLease, name, holder, fence, until, ttl.Microseconds())
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
