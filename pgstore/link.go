package pgstore

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// repeat says what may be repeated after the connection was cut.
type repeat bool

const (
	once   repeat = false // only what was never sent
	freely repeat = true  // everything: it only reads, or does the same a second time
)

// attempts is how often something is tried when connections fail. A pool may hold
// several that a restarted server does not know.
const attempts = 4

// run calls f until it succeeds or fails for good, and turns its error into one of
// ours. What the database gives up for the sake of another transaction is repeated
// until the context ends.
func (s *Store) run(ctx context.Context, again repeat, f func() error) error {
	if s.closed.Load() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return failure(ctx, err)
	}
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || isOurs(err) || ctx.Err() != nil {
			return failure(ctx, err)
		}
		if attempt < attempts && isPooled(err) && s.pools.found() {
			continue // nothing was executed, and now the pool does without
		}
		if !isConflict(err) && (attempt >= attempts || !pgconn.SafeToRetry(err) && (again == once || !isCut(err))) {
			return failure(ctx, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return failure(ctx, err)
		}
	}
}

// pause waits a little, longer with each attempt, up to a tenth of a second.
func pause(ctx context.Context, attempt int) error {
	most := time.Millisecond << min(attempt, 7)
	wait := time.NewTimer(min(most, 100*time.Millisecond)/2 + rand.N(most/2))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// in returns a statement that names the schema keyrack with the store's schema instead.
func (s *Store) in(statement string) string {
	if s.schema == defaultSchema {
		return statement
	}
	if known, ok := s.statements.Load(statement); ok {
		return known.(string)
	}
	rewritten := rewrite(statement, s.schema)
	s.statements.Store(statement, rewritten)
	return rewritten
}

// rewrite replaces the schema keyrack by another wherever a statement names it.
func rewrite(statement, schema string) string {
	quoted := pgx.Identifier{schema}.Sanitize()
	statement = strings.ReplaceAll(statement, "schema if not exists "+defaultSchema+";", "schema if not exists "+quoted+";")
	return strings.ReplaceAll(statement, defaultSchema+".", quoted+".")
}

// exec runs a statement and returns how many rows it returned or changed.
func (s *Store) exec(ctx context.Context, again repeat, statement string, args ...any) (rows int64, err error) {
	err = s.run(ctx, again, func() error {
		tag, err := s.pool().Exec(ctx, s.in(statement), args...)
		rows = tag.RowsAffected()
		return err
	})
	return rows, err
}

// row reads the only row of a query; pgx.ErrNoRows becomes none.
func (s *Store) row(ctx context.Context, again repeat, none error, query string, args []any, into ...any) error {
	return s.run(ctx, again, func() error {
		err := s.pool().QueryRow(ctx, s.in(query), args...).Scan(into...)
		if err == pgx.ErrNoRows { //nolint:errorlint // it is never wrapped
			return none
		}
		return err
	})
}

// rows reads all rows of a query; use it for few rows. It reads them all before it
// returns, so that no connection is held while the caller does something else.
func rows[T any](ctx context.Context, s *Store, query string, args []any, scan pgx.RowToFunc[T]) (all []T, err error) {
	err = s.run(ctx, freely, func() error {
		found, err := s.pool().Query(ctx, s.in(query), args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(found, scan)
		return err
	})
	return all, err
}
