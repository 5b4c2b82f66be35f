// Package store defines what Keyrack asks of a store: the interface [Store], its
// errors, and its promises in prose. A store takes commits, each a record with its
// journal entry and the digests of its tokens. It returns records, and the journal
// in one order.
//
// A store does not interpret what it keeps. Records, evidence and decisions are
// bytes that it returns unchanged, even those that a newer version wrote. Tokens and
// bodies are sealed before they reach it. It understands only versions, identifiers,
// positions and digests.
//
// Package storetest holds the suite that every store passes.
package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

var (
	// ErrConflict: the integration is not at the version that the commit expects, or
	// another entry made that version.
	// Nothing was changed. Load the integration and decide again.
	ErrConflict = errors.New("store: another version was committed")
	// ErrOwned: a digest that the commit claims belongs to another integration.
	// Nothing was changed. The error is an *OwnedError, which names the owner.
	ErrOwned = errors.New("store: the token digest has another owner")
	// ErrNotFound: there is no such integration, entry or sealed value.
	ErrNotFound = errors.New("store: not found")
	// ErrFenced: the lease was lost to another holder. Nothing was changed.
	ErrFenced = errors.New("store: the lease has another holder")
	// ErrTrimmed: entries after the given position have been removed.
	ErrTrimmed = errors.New("store: the journal was trimmed beyond that position")
	// ErrGone: what the store kept was removed or replaced under the running process. It
	// can keep nothing until that is put back, or the process is started anew.
	ErrGone = NewFailure("store: what it kept was removed or replaced")
	// ErrInvalid: the arguments contradict each other or what is stored, which is a
	// mistake in the caller's code. Nothing was changed.
	ErrInvalid = errors.New("store: invalid arguments")
)

// IsAnswer reports whether an error is, or wraps, one of the errors above: an answer
// that a store may give. Every other error is a failure.
func IsAnswer(err error) bool {
	for _, answer := range []error{ErrConflict, ErrOwned, ErrNotFound, ErrFenced, ErrTrimmed, ErrInvalid} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// Failure is an error whose text may be logged as it is: it says what failed and
// holds no values. The errors of a store's own implement it, and so do sentinels that
// [NewFailure] makes. Of any other error a Rack logs no more than the type.
type Failure interface {
	error
	// Failure returns what failed, in one short line of ASCII.
	Failure() string
}

// NewFailure returns a sentinel that is a Failure.
func NewFailure(text string) error { return &failure{text} }

type failure struct{ text string }

func (f *failure) Error() string   { return f.text }
func (f *failure) Failure() string { return f.text }

// OwnedError names a digest and its owner. It unwraps to ErrOwned.
type OwnedError struct {
	Digest lifecycle.Digest
	Owner  string // an integration's id
}

func (e *OwnedError) Error() string { return ErrOwned.Error() }

// Unwrap returns ErrOwned.
func (e *OwnedError) Unwrap() error { return ErrOwned }

// Store keeps integrations and the journal of everything that happened to them.
//
// # Commits
//
// Commit is one atomic compare-and-set: record, journal entry, body and digests
// become visible together or not at all, to every reader and after every crash. It
// returns
//
//   - nil: the commit is as durable as the store is;
//   - ErrConflict, ErrOwned or ErrInvalid: nothing happened. If several apply, any
//     of them may be returned;
//   - any other error, including that of an expired context: the outcome is unknown.
//     Committing the same again is harmless and tells.
//
// A commit whose entry id is already in the journal is a repetition: whatever else
// it holds, it changes nothing and returns the first result, with Repeated set.
// That holds for as long as the entry is kept. Once Trim or Forget has removed the
// entry, repeating an integration's commit returns ErrConflict, since versions never
// go back, and repeating an entry without an integration adds a new entry. A refused
// commit leaves nothing behind: its id may be used again.
//
// Commit.With makes one commit of two integrations: both change or neither does, and a token
// goes from one to the other without ever having two owners, or none.
//
// Commits are linearizable for each integration. Ownership of digests is
// linearizable over all integrations: a digest has at most one owner at any time.
// Integrations are never deleted.
//
// # The journal
//
// Every entry gets a position greater than 0. All readers see the entries in the
// same order, and the entries of one integration in the order of their versions. No
// entry appears at a position before one that a reader has already been given. A
// store may assign positions after the commit, but once Commit has returned nil,
// every Journal that begins afterwards yields the entry.
//
// # In general
//
// All methods are safe for concurrent use, also by several processes if the store
// says so. Nothing that a store is given or returns is retained or changed
// by either side afterwards: byte slices are copied. A store may append to a slice
// that it is given, so no two of them share what lies behind their ends. A nil slice and an empty one
// are the same. Identifiers and names are UTF-8 without U+0000 and are compared byte
// by byte. Errors hold no values: no key, digest, name or body.
//
// A call whose context has ended returns an error that wraps the context's.
//
// An iterator starts when it is ranged over. Its consumer may stop early and may call
// the store in between. An iterator that cannot continue yields an error and then
// nothing more, so an iteration without an error is complete.
type Store interface {
	// Commit applies c, as described above.
	Commit(ctx context.Context, c Commit) (Committed, error)

	// Load returns an integration, or ErrNotFound.
	Load(ctx context.Context, integration string) (Stored, error)
	// Incarnation names the one history that the store's versions and positions belong to:
	// an id that is made with the store, and that Renew changes. It is never empty.
	Incarnation(ctx context.Context) (string, error)

	// Renew gives the store a new incarnation, so that all who use it read everything
	// anew. It is called once an earlier state, such as a backup, was put back.
	Renew(ctx context.Context) error

	// Scan yields all integrations whose id is greater than after, in byte order of
	// their ids. It may or may not see what is committed during the scan.
	Scan(ctx context.Context, after string) iter.Seq2[Stored, error]
	// Owner returns the integration that owns a digest, or ErrNotFound.
	Owner(ctx context.Context, d lifecycle.Digest) (string, error)

	// Journal yields, in order, the entries after a position that exist when it
	// begins. It does not wait for more. If the position lies before the newest entry
	// that Trim, or a limit of the store's own, ever removed, it yields ErrTrimmed,
	// even in the middle of an iteration: the reader has missed something, and should
	// take the last position from Bounds, Scan, and continue from that position.
	// Entries that Forget erased are skipped; the entry of the forgetting commit
	// stands for them. A position beyond the end yields nothing.
	Journal(ctx context.Context, after Position) iter.Seq2[Entry, error]
	// Bounds returns the first position that Journal accepts, which is that of the
	// newest entry that was trimmed, and the position of the newest entry there ever
	// was. Both are 0 if the journal never had an entry.
	Bounds(ctx context.Context) (first, last Position, err error)
	// History yields the remaining entries of one integration, oldest first: those after
	// one of its entries, or all if that is zero, was trimmed, or is another's. For "" it
	// yields those that belong to no integration. What the first few cost does not depend
	// on how many there are.
	History(ctx context.Context, integration string, after EntryID) iter.Seq2[Entry, error]
	// Annotate records how deliveries were answered. A later answer replaces an
	// earlier one; entries that are gone are skipped. Nothing else about an entry
	// ever changes.
	Annotate(ctx context.Context, annotations ...Annotation) error

	// Sealed returns a sealed value, or ErrNotFound.
	Sealed(ctx context.Context, ref Ref) ([]byte, error)
	// ScanSealed yields the addresses of all sealed values, in any order.
	ScanSealed(ctx context.Context) iter.Seq2[Ref, error]
	// Names yields the names of the sealed values that have one which begins with prefix, in
	// byte order. It costs what it yields, however many other values there are.
	Names(ctx context.Context, prefix string) iter.Seq2[string, error]
	// Reseal replaces a sealed value if it still equals old, and does nothing
	// otherwise. With a nil old it adds the value if there is none, but only for a
	// ref with a Name, so an erased token or body never comes back. A nil new is
	// ErrInvalid.
	Reseal(ctx context.Context, ref Ref, old, new []byte) error
	// Shred erases sealed values and skips those that do not exist. The digests keep
	// their owners.
	Shred(ctx context.Context, refs ...Ref) error

	// Trim removes the entries of an integration up to and including a version,
	// with their bodies. It keeps base, the record at that version, as the snapshot
	// from which the remaining entries fold. It does nothing if a later base is
	// already kept. A version that the integration has not reached is ErrInvalid; an
	// unknown integration is ErrNotFound. Record, version, digests and sealed tokens
	// stay. For the integration "", which has no record and no versions, Trim removes
	// the entries whose position is at most through.
	Trim(ctx context.Context, integration string, through uint64, base []byte) error

	// Acquire takes or renews the lease of a name for ttl. It succeeds if the lease
	// is free, has expired by the store's clock, or already belongs to this holder,
	// and returns ErrFenced otherwise. A lease that lies in the future, because that clock
	// was wrong, ends all the same: once who asks for it has seen it unrenewed for its length
	// by a monotonic clock. Renewing keeps the fence; a change of holder,
	// or taking the lease after Release, increases it. Workers with the same holder's
	// name share the lease. An empty name or holder is ErrInvalid.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Lease, error)
	// Release gives a lease up. It returns ErrFenced if the lease was lost or already
	// given up. A lease that has expired is not lost until another holder takes it.
	Release(ctx context.Context, l Lease) error
	// Advance moves the cursor of the lease's name. It returns ErrFenced unless the
	// lease is the newest of its name and was not given up; an expired lease will do.
	// Cursors may move back, and outlive every lease.
	Advance(ctx context.Context, l Lease, to Position) error
	// Cursor returns the position of a name's cursor, 0 for an unknown name.
	Cursor(ctx context.Context, name string) (Position, error)
}
