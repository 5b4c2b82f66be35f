package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strconv"
)

// link is a connection that the store keeps for itself, with its prepared statements.
// One goroutine uses it at a time. It talks to the driver below database/sql, whose
// bookkeeping costs as much as a short statement.
type link struct {
	conn       *sql.Conn
	statements map[string]driver.Stmt
	rewrite    func(query string) string // nil but in tests
	inherited  bool                      // of one that writes: there was a log when it was made
}

func newLink(conn *sql.Conn, rewrite func(string) string) *link {
	return &link{conn: conn, statements: map[string]driver.Stmt{}, rewrite: rewrite}
}

// discard closes the connection instead of returning it to the pool with everything
// that was set on it.
func (l *link) discard() {
	_ = l.conn.Raw(func(any) error {
		for _, s := range l.statements {
			_ = s.Close()
		}
		return driver.ErrBadConn
	})
	_ = l.conn.Close()
}

var errDriver = errors.New("sqlitestore: the driver takes no contexts")

// with calls f with the prepared statement of a query.
func (l *link) with(ctx context.Context, query string, f func(driver.Stmt) error) error {
	return l.conn.Raw(func(dc any) error {
		s, ok := l.statements[query]
		if !ok {
			text := query
			if l.rewrite != nil {
				text = l.rewrite(query)
			}
			preparer, ok := dc.(driver.ConnPrepareContext)
			if !ok {
				return errDriver
			}
			var err error
			if s, err = preparer.PrepareContext(ctx, text); err != nil {
				return notBad(err)
			}
			l.statements[query] = s
		}
		return notBad(f(s))
	})
}

// notBad keeps the pool from taking the connection away: it is ours.
func notBad(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		return errors.New("sqlitestore: bad connection")
	}
	return err
}

// exec runs a statement and returns how many rows it changed and the row number that it
// inserted last. Arguments are int64, string, []byte or nil.
func (l *link) exec(ctx context.Context, query string, args ...driver.Value) (changed, inserted int64, err error) {
	err = l.with(ctx, query, func(s driver.Stmt) error {
		execer, ok := s.(driver.StmtExecContext)
		if !ok {
			return errDriver
		}
		result, err := execer.ExecContext(ctx, named(args))
		if err != nil {
			return err
		}
		changed, _ = result.RowsAffected()
		inserted, _ = result.LastInsertId()
		return nil
	})
	return changed, inserted, err
}

// query runs a statement and calls each for every row. The row is reused; its byte
// slices are not.
func (l *link) query(ctx context.Context, query string, each func(row []driver.Value), args ...driver.Value) error {
	return l.with(ctx, query, func(s driver.Stmt) error {
		queryer, ok := s.(driver.StmtQueryContext)
		if !ok {
			return errDriver
		}
		rows, err := queryer.QueryContext(ctx, named(args))
		if err != nil {
			return err
		}
		row := make([]driver.Value, len(rows.Columns()))
		for err == nil {
			if err = rows.Next(row); err == nil {
				each(row)
			}
		}
		closed := rows.Close()
		if err != io.EOF {
			return err
		}
		return closed
	})
}

// pragma reads or sets a pragma and returns the answer as text. Its statement is not
// kept, because some pragmas do their work when they are prepared.
func (l *link) pragma(ctx context.Context, text string) (string, error) {
	text = "PRAGMA " + text
	var answer string
	err := l.query(ctx, text, func(row []driver.Value) {
		switch v := row[0].(type) {
		case int64:
			answer = strconv.FormatInt(v, 10)
		case string:
			answer = v
		}
	})
	if s := l.statements[text]; s != nil {
		delete(l.statements, text)
		_ = l.conn.Raw(func(any) error { return s.Close() })
	}
	return answer, err
}

func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, v := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}
