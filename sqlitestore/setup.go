package sqlitestore

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
)

// setup is what all connections of a store have in common.
type setup struct {
	busy       time.Duration
	checkpoint int // pages
	erase      time.Duration
	rewrite    func(query string) string
}

// dial takes a connection out of the pool and sets it up, for writing or for
// reading alone. Only writing brings the schema up to date.
//
// SQLite does not wait when two connections could be waiting for each other, as for a
// new file to become WAL. It tells one of them at once that it is busy, and that one
// tries again.
func (s *Store) dial(ctx context.Context, write bool) (*link, error) {
	for end := time.Now().Add(s.setup.busy); ; {
		l, err := s.dialOnce(ctx, write)
		if err == nil || !isBusy(failure(ctx, err)) || time.Now().After(end) {
			return l, err
		}
		select {
		case <-time.After(dialAgain):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// dialAgain is the pause before a connection that was busy is set up again.
const dialAgain = 5 * time.Millisecond

func (s *Store) dialOnce(ctx context.Context, write bool) (*link, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	l := newLink(conn, s.setup.rewrite)
	if write {
		err = s.setup.write(ctx, l)
	} else {
		err = s.setup.read(ctx, l)
	}
	if err != nil {
		l.discard()
		return nil, err
	}
	return l, nil
}

func (c *setup) write(ctx context.Context, l *link) error {
	if err := c.common(ctx, l); err != nil {
		return err
	}
	// The check comes before any change, in case the database is not ours, and reads
	// one moment, because another process may be creating the schema.
	var version int
	err := transact(ctx, l, "BEGIN", func() (err error) {
		version, err = schemaVersion(ctx, l)
		return err
	})
	if err != nil {
		return err
	}
	if err := durable(ctx, l); err != nil {
		return err
	}
	err = pragmas(ctx, l,
		"secure_delete = ON",
		"wal_autocheckpoint = "+strconv.Itoa(c.checkpoint))
	if err != nil {
		return err
	}
	if err := migrate(ctx, l); err != nil {
		return err
	}
	// What a crash left in the log goes into the database before anything is appended
	// to the log. If the disk failed before, parts of the log may exist only in the
	// system's memory. Other processes may prevent this; in that case they have already
	// done it.
	return l.query(ctx, "PRAGMA wal_checkpoint(PASSIVE)", func(row []driver.Value) {
		frames, _ := row[1].(int64)
		l.inherited = version > 0 && frames > 0
	})
}

func (c *setup) read(ctx context.Context, l *link) error {
	if err := c.common(ctx, l); err != nil {
		return err
	}
	return pragmas(ctx, l, "query_only = ON")
}

func (c *setup) common(ctx context.Context, l *link) error {
	return pragmas(ctx, l,
		busyTimeout(c.busy),
		"temp_store = MEMORY",
		"trusted_schema = OFF",
		"cell_size_check = ON")
}

func busyTimeout(d time.Duration) string {
	return "busy_timeout = " + strconv.FormatInt(d.Milliseconds(), 10)
}

func pragmas(ctx context.Context, l *link, texts ...string) error {
	for _, text := range texts {
		if _, err := l.pragma(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// ioError turns an error of the operating system into one of ours, which does not
// contain the path.
func ioError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return &Error{kind: ErrPath}
	case errors.Is(err, syscall.ENOSPC):
		return &Error{kind: ErrFull}
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission):
		return &Error{kind: ErrReadOnly}
	default:
		return &Error{kind: ErrIO}
	}
}
