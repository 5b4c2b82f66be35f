package pgstore

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Commit applies c: one statement, one round trip. A commit that forgets, erases
// bodies, or claims and disowns at once takes a few more.
func (s *Store) Commit(ctx context.Context, c store.Commit) (receipt store.Committed, err error) {
	if err := ctx.Err(); err != nil {
		return store.Committed{}, failure(ctx, err)
	}
	if err := c.Check(); err != nil {
		return store.Committed{}, err
	}
	err = s.run(ctx, once, func() error {
		receipt, err = s.commit(ctx, &c)
		return err
	})
	if err == nil && !receipt.Repeated && s.notifier != nil {
		s.notifier.ring()
	}
	return receipt, err
}

// attemptsWithoutReason bounds how often a commit is tried again that was not applied for no
// reason that can be found: what stands in the way comes and goes, or the tables contradict
// each other.
const attemptsWithoutReason = 100

// commit tries until it is applied or there is a reason why it cannot be.
func (s *Store) commit(ctx context.Context, c *store.Commit) (store.Committed, error) {
	for range attemptsWithoutReason {
		var done bool
		var err error
		switch {
		case c.Expect > math.MaxInt64-1, c.With != nil && c.With.Expect > math.MaxInt64-1: // no integration ever reaches that version
		case c.Entry.Integration == "":
			done, err = s.commitNameless(ctx, c)
		case c.With == nil && !c.Forget && !c.EraseBodies && (len(c.Claim) == 0 || len(c.Disown) == 0):
			done, err = s.commitAtOnce(ctx, c)
		default:
			done, err = s.commitInSteps(ctx, c)
		}
		if err != nil {
			return store.Committed{}, err
		}
		if done {
			return fresh(c), nil
		}
		repeated, err := s.refusal(ctx, c)
		if repeated != nil || err != nil {
			return value(repeated), err
		}
		// The obstacle is gone by now.
	}
	return store.Committed{}, &Error{Code: codeUnique, kind: ErrOther}
}

// fresh returns the receipt of a commit that was applied just now.
func fresh(c *store.Commit) store.Committed {
	e := c.Entry
	e.Position, e.Version = 0, 0
	if e.Integration != "" {
		e.Version = c.Expect + 1
	}
	e.Evidence, e.Decision = bytes.Clone(e.Evidence), bytes.Clone(e.Decision)
	return store.Committed{Version: e.Version, Entry: e}
}

func value(r *store.Committed) store.Committed {
	if r == nil {
		return store.Committed{}
	}
	return *r
}

// commitAtOnce applies c in one statement and reports whether it did.
func (s *Store) commitAtOnce(ctx context.Context, c *store.Commit) (bool, error) {
	e := &c.Entry
	args := make([]any, 9, 13)
	args[0], args[1], args[2] = []byte(e.Integration), int64(c.Expect), present(c.Record)
	args[3], args[4], args[5], args[6] = uuid(e.ID), int64(e.At), present(e.Evidence), present(e.Decision)
	args[7], args[8] = int64(e.Response.Status), int64(e.Response.Took)
	if c.Expect > 0 {
		args = append(args, last(c.After))
	}
	if len(c.Body) > 0 {
		args = append(args, c.Body)
	}
	if len(c.Claim) > 0 {
		digests, sealed := claims(c.Claim)
		args = append(args, digests, sealed)
	}
	if len(c.Disown) > 0 {
		args = append(args, digestBytes(c.Disown))
	}
	statement := commitStatements[shape{c.Expect == 0, len(c.Body) > 0, len(c.Claim) > 0, len(c.Disown) > 0}]
	tag, err := s.pool().Exec(ctx, s.in(statement), args...)
	return settled(tag.RowsAffected(), err)
}

// commitNameless adds an entry that belongs to no integration.
func (s *Store) commitNameless(ctx context.Context, c *store.Commit) (bool, error) {
	e := &c.Entry
	statement := nameless
	args := []any{
		uuid(e.ID), int64(e.At), present(e.Evidence), present(e.Decision),
		int64(e.Response.Status), int64(e.Response.Took),
	}
	if len(c.Body) > 0 {
		statement, args = namelessWithBody, append(args, c.Body)
	}
	tag, err := s.pool().Exec(ctx, s.in(statement), args...)
	return settled(tag.RowsAffected(), err)
}

// settled reports whether a commit was applied, judging by the rows that its statement
// returned. If two commits collide, the reason has to be found out.
func settled(rows int64, err error) (bool, error) {
	if code := codeOf(err); code == codeUnique || code == codeDivision {
		return false, nil
	}
	return err == nil && rows == 1, err
}

// inSteps begins a transaction that the server ends if we fall silent, so that nobody
// waits for its locks until the network notices.
var inSteps = pgx.TxOptions{BeginQuery: "begin; set local idle_in_transaction_session_timeout = 2000"}

// commitInSteps applies c in a transaction of three round trips and reports whether it
// did.
func (s *Store) commitInSteps(ctx context.Context, c *store.Commit) (bool, error) {
	tx, err := s.pool().BeginTx(ctx, inSteps)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // no-op after Commit
	var batch pgx.Batch
	whole := true
	all := steps(c)
	if c.With != nil {
		all = append(steps(c.With), all...)
	}
	for _, step := range all {
		batch.Queue(s.in(step.statement), step.args...).Exec(func(tag pgconn.CommandTag) error {
			whole = whole && (step.rows < 0 || step.rows == tag.RowsAffected())
			return nil
		})
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil || !whole {
		return settled(0, err)
	}
	return true, tx.Commit(ctx)
}

// step is a statement of a commit, with the number of rows that it must change;
// -1 for any.
type step struct {
	rows      int64
	statement string
	args      []any
}

func steps(c *store.Commit) []step {
	const any64 = -1
	e := &c.Entry
	id := []byte(e.Integration)
	digests, sealed := claims(c.Claim)
	var steps []step
	add := func(rows int64, statement string, args ...any) {
		steps = append(steps, step{rows, statement, args})
	}
	if c.Forget || c.EraseBodies {
		// A transaction that removes several entries does so alone, or two of them
		// could wait for each other.
		add(1, lockBounds)
	}
	if c.Expect == 0 {
		add(1, stepCreate, id, int64(c.Expect), present(c.Record), uuid(e.ID))
	} else {
		add(1, stepMove, id, int64(c.Expect), present(c.Record), uuid(e.ID), last(c.After))
	}
	if c.Forget || c.EraseBodies {
		add(any64, stepForgetBodies, id)
	}
	if c.Forget {
		add(any64, stepForgetEntries, id)
		add(any64, stepForgetDigests, id, digests)
		add(any64, stepForgetTokens, id)
		add(1, stepRebase, id)
	}
	if len(c.Disown) > 0 {
		add(any64, stepDisown, id, digestBytes(c.Disown))
	}
	if len(c.Claim) > 0 {
		add(int64(len(c.Claim)), stepClaim, id, digests, sealed)
	}
	add(1, stepEntry, uuid(e.ID), id, int64(c.Expect)+1, int64(e.At), present(e.Evidence), present(e.Decision),
		int64(e.Response.Status), int64(e.Response.Took))
	if len(c.Body) > 0 {
		add(1, stepBody, uuid(e.ID), c.Body)
	}
	return steps
}

// refusal finds out why c was not applied. It returns the receipt of an earlier commit
// with the same id, an error, or nil if the obstacle is gone.
func (s *Store) refusal(ctx context.Context, c *store.Commit) (*store.Committed, error) {
	digests, _ := claims(c.Claim)
	giver, given := []byte{}, [][]byte{}
	if c.With != nil {
		giver, given = []byte(c.With.Entry.Integration), digestBytes(c.With.Disown)
	}
	var version int64
	var made pgtype.UUID // by which entry
	var digest, owner []byte
	var e maybeEntry
	err := s.pool().QueryRow(ctx, s.in(refused), []byte(c.Entry.Integration), digests, uuid(c.Entry.ID), giver, given).
		Scan(append([]any{&version, &made, &digest, &owner}, e.fields()...)...)
	switch {
	case err != nil:
		return nil, err
	case e.exists():
		return s.confirm(ctx, e.id)
	case c.Entry.Integration != "" && (uint64(version) != c.Expect || !c.After.IsZero() && made.Bytes != c.After):
		return nil, store.ErrConflict
	case owner != nil:
		return nil, &store.OwnedError{Digest: lifecycle.Digest(digest), Owner: string(owner)}
	case c.With == nil:
		return nil, nil
	}
	if repeated, err := s.refusal(ctx, c.With); repeated == nil {
		return nil, err
	}
	return nil, store.ErrConflict
}

// confirm returns the receipt of an entry that is there, once its commit is as durable as
// the server promises; nil if the entry is gone by now. That it can be read says nothing: a
// commit whose wait for a standby was cut off is visible all the same, and gone after a
// failover. So it is written once more, as it is, and that waits for all that came before.
func (s *Store) confirm(ctx context.Context, id pgtype.UUID) (*store.Committed, error) {
	var e maybeEntry
	err := s.pool().QueryRow(ctx, s.in(confirmed), id).Scan(e.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return e.receipt(), nil
}

// claims returns the columns of claims in the order of the digests, so that two commits
// lock the digests they share in the same order.
func claims(all []store.Claim) (digests, sealed [][]byte) {
	all = slices.SortedFunc(slices.Values(all), func(a, b store.Claim) int {
		return bytes.Compare(a.Digest[:], b.Digest[:])
	})
	digests, sealed = make([][]byte, len(all)), make([][]byte, len(all))
	for i := range all {
		digests[i] = all[i].Digest[:]
		if len(all[i].Sealed) > 0 {
			sealed[i] = all[i].Sealed
		}
	}
	return digests, sealed
}

func digestBytes(all []lifecycle.Digest) [][]byte {
	out := make([][]byte, len(all))
	for i := range all {
		out[i] = all[i][:]
	}
	slices.SortFunc(out, bytes.Compare)
	return out
}

// present returns b, or an empty slice for nil, which the database would take for null.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func uuid(id store.EntryID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// last returns an entry's id, null for none.
func last(id store.EntryID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: !id.IsZero()} }

// position returns p as the database stores it. Positions beyond its largest number
// become that number.
func position(p store.Position) int64 { return int64(min(p, math.MaxInt64)) }
