package sqlitestore

import (
	"context"
	"database/sql/driver"
	"iter"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	// One row for each entry of the page, and at least one row, so that the start of
	// the journal is read at the same moment.
	selectJournal = `SELECT b.trimmed, ` + entryColumns + ` FROM journal_bounds b
		LEFT JOIN entry e ON e.position > ? AND e.position <= ?
		LEFT JOIN integration i ON i.number = e.integration
		WHERE b.only = 1 ORDER BY e.position LIMIT ?`
	// From an entry not far behind the page back to where it begins. That entry is the first
	// marked one that leaves room for a page, or the newest.
	selectHistory = `WITH RECURSIVE history (position) AS (
		SELECT coalesce((SELECT m.position FROM entry m
			WHERE m.integration = i.number AND m.version % 64 = 0 AND m.version > 0 AND m.position > ?2
			ORDER BY m.position LIMIT 1 OFFSET ?4 / 64), i.newest) FROM integration i WHERE i.id = ?1
		UNION ALL SELECT e.previous FROM history h JOIN entry e ON e.position = h.position WHERE e.previous > ?2)
		SELECT ` + entryColumns + ` FROM history h JOIN entry e ON e.position = h.position
		LEFT JOIN integration i ON i.number = e.integration
		WHERE e.position > ?2 AND e.position <= ?3 ORDER BY e.position LIMIT ?4`
	selectPlace = `SELECT e.position FROM entry e LEFT JOIN integration i ON i.number = e.integration
		WHERE e.id = ? AND coalesce(i.id, '') = ?`
	selectNameless = `SELECT ` + entryColumns + ` FROM entry e
		LEFT JOIN integration i ON i.number = e.integration
		WHERE e.integration IS NULL
		AND e.position > ? AND e.position <= ? ORDER BY e.position LIMIT ?`
	selectBounds = `SELECT trimmed, max(removed, (SELECT coalesce(max(position), 0) FROM entry))
		FROM journal_bounds`
	updateAnswer = `UPDATE entry SET status = ?, took = ? WHERE id = ?`
)

// pageSize is how many rows are read at once. Between pages no connection is held,
// and the database may change.
const pageSize = 256

// Journal yields all entries after a position. It reads them in pages.
func (s *Store) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return s.follow(ctx, after, func(after, until store.Position) (page []store.Entry, err error) {
		trimmed := int64(0)
		err = s.read(ctx, selectJournal, func(row []driver.Value) {
			trimmed, _ = row[0].(int64)
			if row[1] != nil {
				page = append(page, readEntry(row[1:]))
			}
		}, number(uint64(after)), int64(until), int64(pageSize))
		if err == nil && after < store.Position(trimmed) {
			err = store.ErrTrimmed
		}
		return page, err
	})
}

// History yields the remaining entries of one integration, oldest first, after one of
// them. It reads them in pages.
func (s *Store) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		place, err := s.placeOf(ctx, integration, after)
		if err != nil {
			yield(store.Entry{}, err)
			return
		}
		s.follow(ctx, place, func(after, until store.Position) (page []store.Entry, err error) {
			add := func(row []driver.Value) { page = append(page, readEntry(row)) }
			if integration == "" {
				err = s.read(ctx, selectNameless, add, int64(after), int64(until), int64(pageSize))
			} else {
				err = s.read(ctx, selectHistory, add, integration, int64(after), int64(until), int64(pageSize))
			}
			return page, err
		})(yield)
	}
}

// placeOf returns the position of an entry of an integration, or 0.
func (s *Store) placeOf(ctx context.Context, integration string, id store.EntryID) (place store.Position, err error) {
	if id.IsZero() {
		return 0, nil
	}
	err = s.read(ctx, selectPlace, func(row []driver.Value) {
		position, _ := row[0].(int64)
		place = store.Position(position)
	}, id[:], integration)
	return place, err
}

// follow yields pages of entries after a position, up to the newest entry when it
// begins.
func (s *Store) follow(ctx context.Context, after store.Position, next func(after, until store.Position) ([]store.Entry, error)) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		after := after // each range begins anew
		_, until, err := s.Bounds(ctx)
		for err == nil && after < until {
			var page []store.Entry
			if page, err = next(after, until); err != nil {
				break
			}
			for i := range page {
				if err = failure(ctx, ctx.Err()); err != nil {
					break
				}
				after = page[i].Position
				if !yield(page[i], nil) {
					return
				}
			}
			if len(page) < pageSize && err == nil {
				return
			}
		}
		if err != nil {
			yield(store.Entry{}, err)
		}
	}
}

// Bounds returns the first position from which Journal can be followed, and the
// position of the newest entry.
func (s *Store) Bounds(ctx context.Context) (first, last store.Position, err error) {
	err = s.read(ctx, selectBounds, func(row []driver.Value) {
		trimmed, _ := row[0].(int64)
		newest, _ := row[1].(int64)
		first, last = store.Position(trimmed), store.Position(newest)
	})
	return first, last, err
}

// Annotate notes how deliveries were answered. It shares a transaction with whatever
// else is committed at the time.
func (s *Store) Annotate(ctx context.Context, annotations ...store.Annotation) error {
	annotations = append([]store.Annotation(nil), annotations...)
	return s.write(ctx, func(l *link) error {
		for i := range annotations {
			a := &annotations[i]
			_, _, err := l.exec(context.Background(), updateAnswer,
				int64(a.Response.Status), int64(a.Response.Took), a.ID[:])
			if err != nil {
				return err
			}
		}
		return nil
	})
}
