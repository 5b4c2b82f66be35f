// Package store says what Keyrack asks of a memory: [Store], its sentinels, and
// its promises in prose. In come commits, each a record with its journal entry
// and the digests of its tokens; out come records, and the journal in one order.
//
// A store understands none of what it keeps. Records, evidence and decisions are
// bytes to it, which it returns as they came, those of a newer version
// included; tokens and bodies are sealed before they reach it. What it does
// understand is versions, identifiers, positions and digests.
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
	// ErrConflict: the integration is not at the version that the commit expected.
	// Nothing was changed. Load it and decide again.
	ErrConflict = errors.New("store: another version was committed")
	// ErrOwned: a digest that the commit claims belongs to another integration.
	// Nothing was changed. It comes wrapped in an *OwnedError, which names the owner.
	ErrOwned = errors.New("store: the token digest has another owner")
	// ErrNotFound: there is no such integration, entry or sealed value.
	ErrNotFound = errors.New("store: not found")
	// ErrFenced: the lease was lost to another holder. Nothing was changed.
	ErrFenced = errors.New("store: the lease has another holder")
	// ErrTrimmed: entries after the position that was asked for are gone.
	ErrTrimmed = errors.New("store: the journal was trimmed beyond that position")
	// ErrInvalid: the arguments contradict each other, or what is stored, in a way
	// that only a mistake in the caller's code explains. Nothing was changed.
	ErrInvalid = errors.New("store: invalid arguments")
)

// IsAnswer tells whether an error is an answer that a store may give, one of those
// above, with whatever around it. Every other error is a failure.
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

// OwnedError says which digest has which owner. It unwraps to ErrOwned.
type OwnedError struct {
	Digest lifecycle.Digest
	Owner  string // an integration's id
}

func (e *OwnedError) Error() string { return ErrOwned.Error() }

// Unwrap returns ErrOwned.
func (e *OwnedError) Unwrap() error { return ErrOwned }

// Store keeps integrations, and the journal of all that happened to them.
//
// # Commits
//
// Commit is one atomic compare-and-set over everything in it: record, journal
// entry, body and digests become visible together or not at all, to every
// reader and after every crash. It answers in one of three ways:
//
//   - nil: the commit is durable, as far as the store is at all;
//   - ErrConflict, ErrOwned or ErrInvalid: nothing happened. Where several apply,
//     it is not said which one comes;
//   - any other error, an expired context included: it is not known whether it
//     happened. Committing the same again tells, and is harmless.
//
// A commit whose entry id is in the journal already is a repetition: whatever
// else is in it, it changes nothing and returns the first receipt, with Repeated
// set. That holds as long as the entry does. Once Trim or Forget has removed it,
// the repetition of an integration's commit is ErrConflict, since versions
// never go back; that of an entry without an integration is a new entry. A commit
// that was refused leaves nothing behind: its id is as good as new.
//
// Commits are linearizable for each integration, and digests over all of them: a
// digest has at most one owner at any time. An integration that was created stays.
//
// # The journal
//
// Every entry gets a position, larger than 0. All readers see the entries in the
// same order of positions, entries of one integration in the order of their
// versions, and no entry ever appears at a position before one that a reader
// has been given already. A store may assign positions after the commit, but an
// entry whose Commit has returned nil is seen by every Journal that begins
// afterwards.
//
// # In general
//
// All methods are safe for concurrent use, by several processes too where the
// store says so. Nothing that a store is given or returns is retained or changed
// by either side afterwards: byte slices are copied. A store may append to a slice
// that it is given, so no two of them share what lies behind their ends. A nil slice and an empty one
// are the same. Identifiers and names are UTF-8 without U+0000, and compared byte
// by byte. Errors hold no values: no key, no digest, no name, no body.
//
// Contexts are obeyed: a call whose context has ended returns an error that wraps
// the context's.
//
// An iterator begins when it is ranged over, may be broken off, and lets its
// consumer call the store meanwhile. One that cannot go on yields an error, and
// nothing after it: an iteration without an error is complete.
type Store interface {
	// Commit applies c, as described above.
	Commit(ctx context.Context, c Commit) (Receipt, error)

	// Load returns an integration, or ErrNotFound.
	Load(ctx context.Context, integration string) (Stored, error)
	// Scan yields all integrations whose id is greater than after, in byte order
	// of their ids. What is committed meanwhile may or may not be among them.
	Scan(ctx context.Context, after string) iter.Seq2[Stored, error]
	// Owner returns the integration that owns a digest, or ErrNotFound.
	Owner(ctx context.Context, d lifecycle.Digest) (string, error)

	// Journal yields all entries after a position, in order, up to those that were
	// there when it began; it does not wait for more. A position before the
	// newest entry that Trim, or a limit of the store's own, ever removed is
	// ErrTrimmed, in the middle of an iteration too: whoever stood there missed
	// something, takes the last position from Bounds, then a Scan, and goes on
	// from that position. What Forget erased is passed over; the entry that came
	// with Forget stands for it. After the end there is nothing, and no error.
	Journal(ctx context.Context, after Position) iter.Seq2[Entry, error]
	// Bounds returns the first position from which Journal can be followed, which
	// is that of the newest entry that Trim removed, and the position of the newest
	// entry there ever was. Both are 0 for a journal that never had one.
	Bounds(ctx context.Context) (first, last Position, err error)
	// History yields the entries of one integration that are left, oldest first.
	// For "", those that belong to no integration.
	History(ctx context.Context, integration string) iter.Seq2[Entry, error]
	// Annotate notes how deliveries were answered; a later note replaces an
	// earlier one. Entries that are gone are passed over. It is the only thing
	// about an entry that ever changes.
	Annotate(ctx context.Context, answers ...Answered) error

	// Sealed returns a sealed value, or ErrNotFound.
	Sealed(ctx context.Context, ref Ref) ([]byte, error)
	// ScanSealed yields the addresses of all sealed values, in no given order.
	ScanSealed(ctx context.Context) iter.Seq2[Ref, error]
	// Reseal replaces a sealed value if it still is old, and does nothing
	// otherwise. With a nil old it adds the value if there is none, provided that
	// its ref has a Name: that is how those values begin. A token or a body that
	// was erased does not come back by it. A nil new is ErrInvalid.
	Reseal(ctx context.Context, ref Ref, old, new []byte) error
	// Shred erases sealed values; those that are not there are passed over. The
	// digests keep their owners.
	Shred(ctx context.Context, refs ...Ref) error

	// Trim removes the entries of an integration up to a version, their bodies
	// with them, and keeps base, the record as it was at that version, as the
	// snapshot from which the rest folds. It does nothing where a later base is
	// kept already. A version that the integration has not reached is ErrInvalid,
	// an integration that is not there ErrNotFound. Record, version, digests and
	// sealed tokens stay. For the integration "", which has no record and no
	// versions, it removes all entries whose position is not after through.
	Trim(ctx context.Context, integration string, through uint64, base []byte) error

	// Acquire takes or renews the lease of a name for ttl: it succeeds where the
	// lease is free, has run out by the store's clock, or is this holder's
	// already. Whoever renews keeps the fence; each change of holder has a greater
	// one, and so has whatever comes after Release. Otherwise ErrFenced. Two
	// workers that use the same holder's name share the lease. An empty name or
	// holder is ErrInvalid.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Lease, error)
	// Release gives a lease up. A lease that was lost or given up already is
	// ErrFenced; one that has run out and that nobody took since is not lost.
	Release(ctx context.Context, l Lease) error
	// Advance moves the cursor of the lease's name, as long as the lease is the
	// newest of its name and was not given up; else ErrFenced. That it has run out
	// is no obstacle as long as nobody took it. Cursors may move back, and
	// outlast every lease.
	Advance(ctx context.Context, l Lease, to Position) error
	// Cursor returns where a name's cursor stands, 0 for a new one.
	Cursor(ctx context.Context, name string) (Position, error)
}
