package sqlitestore

import (
	"context"
	"database/sql/driver"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	selectIncarnation = `SELECT incarnation FROM journal_bounds`
	renewIncarnation  = `UPDATE journal_bounds SET incarnation = lower(hex(randomblob(16)))`
)

// Incarnation names the history that versions and positions belong to. A copy of the file
// holds it as well, so once one was put back, Renew gives the store another.
func (s *Store) Incarnation(ctx context.Context) (string, error) {
	var name string
	err := s.read(ctx, selectIncarnation, func(row []driver.Value) { name, _ = row[0].(string) })
	if err == nil && name == "" {
		err = store.ErrNotFound
	}
	return name, err
}

// Renew gives the store a new incarnation.
func (s *Store) Renew(ctx context.Context) error {
	return s.write(ctx, func(l *link) error {
		_, _, err := l.exec(context.Background(), renewIncarnation)
		return err
	})
}
