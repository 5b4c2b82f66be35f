package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyrack-dev/keyrack/store"
)

var (
	// ErrClosed: the store was closed. Nothing was changed.
	ErrClosed = store.NewFailure("pgstore: the store is closed")
	// ErrNewer: a newer version of Keyrack has migrated the schema. Use that version.
	ErrNewer = store.NewFailure("pgstore: the schema is that of a newer version of Keyrack")
	// ErrNotMigrated: the schema is missing or older, and Options.SkipMigrations is
	// set. Run the migrations.
	ErrNotMigrated = store.NewFailure("pgstore: the schema is not there, or older: run the migrations")
	// ErrNotDurable: synchronous_commit is off, so a commit may be lost when the server
	// crashes.
	ErrNotDurable = store.NewFailure("pgstore: not durable: synchronous_commit is off")
	// ErrSettings: the URL cannot be understood, or an option has no possible meaning.
	ErrSettings = store.NewFailure("pgstore: the URL or an option is invalid")

	// ErrPooler: the pool that New was given prepares statements, and they end up on a
	// connection of somebody else: a pooler in transaction mode is between. Set the pool's
	// DefaultQueryExecMode to pgx.QueryExecModeCacheDescribe. Nothing was changed.
	ErrPooler = store.NewFailure("pgstore: a pooler in transaction mode: set DefaultQueryExecMode of the pool to cache_describe")

	// ErrUnreachable: no connection could be made, or one was cut. After a commit with
	// this error it is unknown whether it happened.
	ErrUnreachable = store.NewFailure("pgstore: the connection to the database failed")
	// ErrDenied: the database does not let this user connect, or do this.
	ErrDenied = store.NewFailure("pgstore: the database denies access")
	// ErrReadOnly: the database cannot be written to; it is usually a standby.
	ErrReadOnly = store.NewFailure("pgstore: the database is read-only")
	// ErrBusy: the database has no connection, no lock or no time to spare.
	ErrBusy = store.NewFailure("pgstore: the database is busy")
	// ErrFull: the disk of the database is full.
	ErrFull = store.NewFailure("pgstore: the disk of the database is full")
	// ErrOther: the database failed for a reason that has no name here.
	ErrOther = store.NewFailure("pgstore: the database failed")
)

// Error is a failure of the database, or on the way to it. It unwraps to one of the
// package's sentinels. Of what the database said it keeps only the SQLSTATE, since the
// rest quotes keys.
type Error struct {
	Code string // SQLSTATE, five characters; empty if the database did not answer
	kind error
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.kind.Error()
	}
	return fmt.Sprintf("%v (SQLSTATE %s)", e.kind, e.Code)
}

var _ store.Failure = (*Error)(nil)

// Failure returns the text, which may be logged.
func (e *Error) Failure() string { return e.Error() }

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.kind }

// The SQLSTATEs that decide what happens next.
const (
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeUnique        = "23505"
	codeDivision      = "22012" // a claim came too late: see statements.go
	codeNoTable       = "42P01"
	codeNoSchema      = "3F000"
	codeNoFunction    = "42883"
	codeUnsupported   = "0A000"
	codeSyntax        = "42601"
	codePreparedTwice = "42P05" // a statement of that name is prepared already
	codeNotPrepared   = "26000"
)

// kinds maps SQLSTATEs, and their classes, which are the first two characters.
var kinds = map[string]error{
	"08": ErrUnreachable, "57P01": ErrUnreachable, "57P02": ErrUnreachable, "57P03": ErrUnreachable,
	"28": ErrDenied, "42501": ErrDenied,
	"25006": ErrReadOnly,
	"40":    ErrBusy, "53": ErrBusy, "55": ErrBusy, "57": ErrBusy,
	"53100":     ErrFull,
	codeNoTable: ErrNotMigrated, codeNoSchema: ErrNotMigrated,
	codePreparedTwice: ErrPooler, codeNotPrepared: ErrPooler,
}

// failure turns an error of the driver into one of ours. An error that is already ours,
// or the context's, stays as it is.
func failure(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case isOurs(err):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("pgstore: %w", ctx.Err())
	}
	out := &Error{Code: codeOf(err), kind: ErrOther}
	if out.Code == "" {
		out.kind = ErrUnreachable
	} else if kind, ok := kinds[out.Code]; ok {
		out.kind = kind
	} else if kind, ok := kinds[out.Code[:2]]; ok {
		out.kind = kind
	}
	return out
}

// codeOf returns the SQLSTATE of an error, of the driver or made of one, empty if the
// database did not answer.
func codeOf(err error) string {
	if made, ok := errors.AsType[*Error](err); ok {
		return made.Code
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok && len(answer.Code) == 5 {
		return answer.Code
	}
	return ""
}

// isOurs reports whether an error was made here, and so holds no values.
func isOurs(err error) bool {
	if _, made := errors.AsType[*Error](err); made || store.IsAnswer(err) {
		return true
	}
	for _, sentinel := range []error{ErrClosed, ErrNewer, ErrNotMigrated, ErrNotDurable, ErrSettings} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

// isConflict reports whether the database gave up a transaction for the sake of
// another, so that it has to be repeated.
func isConflict(err error) bool {
	code := codeOf(err)
	return code == codeSerialization || code == codeDeadlock
}

// isPooled reports whether a statement met another connection's prepared statements, or not
// its own: a pooler in transaction mode gives each transaction another connection. Nothing of
// it was executed.
func isPooled(err error) bool {
	code := codeOf(err)
	return code == codePreparedTwice || code == codeNotPrepared
}

// isCut reports whether the connection failed, at any moment.
func isCut(err error) bool {
	code := codeOf(err)
	return code == "" || kinds[code] == ErrUnreachable || kinds[code[:2]] == ErrUnreachable
}
