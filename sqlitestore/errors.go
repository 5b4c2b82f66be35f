package sqlitestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/store"
)

var (
	// ErrClosed: the store was closed. Nothing was changed.
	ErrClosed = store.NewFailure("sqlitestore: the store is closed")
	// ErrNotDurable: the database cannot be brought to WAL with synchronous=FULL.
	// Without these, a commit may be lost when the power fails.
	ErrNotDurable = store.NewFailure("sqlitestore: not durable: the database does not do WAL with synchronous=FULL")
	// ErrNewer: a newer version of Keyrack has changed the schema. Use that version.
	ErrNewer = store.NewFailure("sqlitestore: the file has the schema of a newer version of Keyrack")
	// ErrPath: the folder of the file does not exist, or the path leads to a folder. Make
	// the folder, or name a file in it.
	ErrPath = store.NewFailure("sqlitestore: the path leads to no file: its folder does not exist, or it is a folder itself")
	// ErrForeign: the file is a database of something else, or no database; one of
	// Keyrack's whose first bytes are damaged looks like that too.
	ErrForeign = store.NewFailure("sqlitestore: the file is not a Keyrack database")
	// ErrPool: the application's handle allows fewer connections than the store needs.
	ErrPool = store.NewFailure("sqlitestore: the pool is limited to too few connections")

	// ErrReplaced: the database, or a file beside it, was removed or replaced under the
	// running process. What is committed would be lost. Put the files back as they were,
	// or start the process anew. It wraps store.ErrGone.
	ErrReplaced = store.NewFailure("sqlitestore: the file was removed or replaced under the running process")

	// ErrBusy: another process writes, and did not finish in time.
	ErrBusy = store.NewFailure("sqlitestore: another process holds the database")
	// ErrFull: the disk is full. The store works again once there is room.
	ErrFull = store.NewFailure("sqlitestore: the disk is full")
	// ErrReadOnly: the file, its folder or its disk cannot be written to.
	ErrReadOnly = store.NewFailure("sqlitestore: the database cannot be written to")
	// ErrCorrupt: the file is damaged. Check says more; the way
	// back is a backup.
	ErrCorrupt = store.NewFailure("sqlitestore: the database is damaged")
	// ErrIO: the disk, or the operating system, failed.
	ErrIO = store.NewFailure("sqlitestore: input or output failed")
	// ErrOther: SQLite failed for a reason that has no name here.
	ErrOther = store.NewFailure("sqlitestore: SQLite failed")
)

// Error is a failure of SQLite. It unwraps to one of the package's sentinels. Of what
// SQLite said it keeps only the result code, since the rest could hold values.
type Error struct {
	Code int // an extended result code of SQLite, 0 if there is none
	kind error
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return e.kind.Error()
	}
	return fmt.Sprintf("%v (SQLite code %d)", e.kind, e.Code)
}

var _ store.Failure = (*Error)(nil)

// Failure returns the text, which may be logged.
func (e *Error) Failure() string { return e.Error() }

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.kind }

// Is reports whether the error is store.ErrGone, besides what it unwraps to.
func (e *Error) Is(target error) bool { return e.kind == ErrReplaced && target == store.ErrGone }

// SQLite's primary result codes, of those that mean something here.
const (
	codePerm     = 3
	codeBusy     = 5
	codeLocked   = 6
	codeReadOnly = 8
	codeIO       = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeProtocol = 15
	codeNotADB   = 26
)

// kinds maps primary result codes.
var kinds = map[int]error{
	codePerm:     ErrReadOnly,
	codeBusy:     ErrBusy,
	codeLocked:   ErrBusy,
	codeReadOnly: ErrReadOnly,
	codeIO:       ErrIO,
	codeCorrupt:  ErrCorrupt,
	codeFull:     ErrFull,
	codeCantOpen: ErrIO,
	codeProtocol: ErrBusy,
	codeNotADB:   ErrCorrupt,
}

// failure turns an error of the driver into one of ours. An error that is already ours,
// or the context's, stays as it is.
func failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("sqlitestore: %w", ended)
	}
	if isOurs(err) {
		return err
	}
	out := &Error{kind: ErrOther}
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		out.Code = coded.Code()
		if kind, ok := kinds[out.Code&0xff]; ok {
			out.kind = kind
		}
	}
	return out
}

// isOurs reports whether an error was made here, and so holds no values.
func isOurs(err error) bool {
	var made *Error
	return store.IsAnswer(err) || errors.As(err, &made) || errors.Is(err, ErrClosed) ||
		errors.Is(err, ErrNotDurable) || errors.Is(err, ErrNewer) || errors.Is(err, ErrForeign) ||
		errors.Is(err, ErrPool) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func isBusy(err error) bool { return errors.Is(err, ErrBusy) }
