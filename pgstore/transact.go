package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	// Once its row is locked, others wait: see inSteps.
	endsSilent = `set local idle_in_transaction_session_timeout = 2000`
	moveCursor = `update keyrack.lease set position = $5::bigint
where name = $1::bytea and holder = $2::bytea and fence = $3::bigint and position = $4::bigint`
	dropSecret = `delete from keyrack.secret where name = $1::bytea and sealed = $2::bytea`
)

var _ store.Transactor[pgx.Tx] = (*Store)(nil)

// rollbackPatience bounds how long a transaction that came to nothing holds its connection.
const rollbackPatience = 4 * time.Second

// Transact begins a transaction of the store's pool, calls do with it, and commits it
// together with the progress, as store.Transactor says. Its Commit and Rollback fail; nested
// ones, which Begin makes, are do's own. Do must not send COMMIT or ROLLBACK by itself either.
//
// The error wraps store.ErrRolledBack where the database refuses what do wrote, such as a row
// that breaks a deferred constraint, or gives the transaction up for the sake of another one.
func (s *Store) Transact(ctx context.Context, p store.Progress, do func(context.Context, pgx.Tx) error) error {
	var tx pgx.Tx
	err := s.run(ctx, freely, func() (err error) { // nothing was done in one that is not begun
		tx, err = s.pool().Begin(ctx)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { // of one that was committed it does nothing
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackPatience)
		defer cancel()
		_ = tx.Rollback(ctx)
	}()
	if err := do(ctx, inside{tx}); err != nil {
		return err
	}
	if err := s.note(ctx, tx, p); err != nil {
		return s.undone(ctx, err)
	}
	return s.undone(ctx, tx.Commit(ctx))
}

// note writes the progress. The lease's row comes first: who acquires the lease waits for it,
// and sees whether the transaction was committed.
func (s *Store) note(ctx context.Context, tx pgx.Tx, p store.Progress) error {
	if _, err := tx.Exec(ctx, endsSilent); err != nil {
		return err
	}
	l := p.Lease
	err := s.one(ctx, tx, moveCursor, []byte(l.Name), []byte(l.Holder), int64(l.Fence), int64(p.From), int64(p.To))
	name := []byte(p.Ref.Name)
	switch {
	case err != nil || p.Old == nil && p.New == nil:
		return err
	case p.New == nil:
		return s.one(ctx, tx, dropSecret, name, p.Old)
	case p.Old == nil:
		return s.one(ctx, tx, addSecret, name, p.New)
	}
	return s.one(ctx, tx, setSecret, name, p.Old, p.New)
}

// one runs a statement that changes one row, or else the progress begins elsewhere.
func (s *Store) one(ctx context.Context, tx pgx.Tx, statement string, args ...any) error {
	tag, err := tx.Exec(ctx, s.in(statement), args...)
	return fenced(tag.RowsAffected(), err)
}

// undone is failure for a transaction of the application's: what the database answers to it,
// while the connection goes on, is that nothing happened.
func (s *Store) undone(ctx context.Context, err error) error {
	answer, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case answered && isPooled(err):
		s.pools.found()
	case answered && answer.SeverityUnlocalized != "ERROR":
		return failure(ctx, err)
	case !answered && !errors.Is(err, pgx.ErrTxCommitRollback):
		return failure(ctx, err)
	}
	return &Error{Code: codeOf(err), kind: store.ErrRolledBack}
}

var errInside = errors.New("pgstore: the transaction is committed with the subscription's progress, or rolled back if the handler returns an error")

// inside is a transaction that ends elsewhere.
type inside struct{ pgx.Tx }

func (inside) Commit(context.Context) error   { return errInside }
func (inside) Rollback(context.Context) error { return errInside }
