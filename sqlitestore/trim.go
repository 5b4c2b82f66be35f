package sqlitestore

import (
	"context"
	"database/sql/driver"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	selectBase = `SELECT number, version, base_version, newest FROM integration WHERE id = ?`

	// What is trimmed of an integration, and of the entries that belong to none:
	trimmedEntries  = ` FROM entry WHERE position IN (` + historyFrom + `) AND version <= ?`
	trimmedNameless = ` FROM entry WHERE integration IS NULL AND position <= ?`

	noteTrimmed = `UPDATE journal_bounds SET trimmed = max(trimmed, coalesce((SELECT max(position)`
	trimBodies  = `DELETE FROM body WHERE position IN (SELECT position`
)

// Trim removes the entries of an integration up to a version, and keeps base.
func (s *Store) Trim(ctx context.Context, integration string, through uint64, base []byte) error {
	text := string(base)
	return s.erase(ctx, func(l *link) error {
		ctx := context.Background()
		if integration == "" {
			return trim(ctx, l, trimmedNameless, number(through))
		}
		var n, version, baseVersion, newest int64
		err := l.query(ctx, selectBase, func(row []driver.Value) {
			n, _ = row[0].(int64)
			version, _ = row[1].(int64)
			baseVersion, _ = row[2].(int64)
			newest, _ = row[3].(int64)
		}, integration)
		switch {
		case err != nil:
			return err
		case n == 0:
			return store.ErrNotFound
		case through > uint64(version):
			return store.ErrInvalid
		case through < uint64(baseVersion):
			return nil
		}
		if err := trim(ctx, l, trimmedEntries, newest, int64(through)); err != nil || through == uint64(baseVersion) {
			return err
		}
		_, _, err = l.exec(ctx, updateBase, text, int64(through), n)
		return err
	})
}

// trim removes entries with their bodies, and notes how far the journal is trimmed.
func trim(ctx context.Context, l *link, entries string, args ...driver.Value) error {
	for _, query := range []string{
		noteTrimmed + entries + `), 0))`,
		trimBodies + entries + `)`,
		`DELETE` + entries,
	} {
		if _, _, err := l.exec(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}
