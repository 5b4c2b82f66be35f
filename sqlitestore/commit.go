package sqlitestore

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Commit applies c. If its error is neither of those that mean that nothing happened,
// the outcome is unknown, as [store.Store] says.
func (s *Store) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if err := ctx.Err(); err != nil {
		return store.Committed{}, failure(ctx, err)
	}
	if err := c.Check(); err != nil {
		return store.Committed{}, err
	}
	change := newChange(&c)
	do := change.apply
	if c.With != nil {
		do = (&changes{change, newChange(c.With)}).apply
	}
	err := s.send(ctx, &request{do: do, erases: change.erases() || c.With != nil})
	if err != nil {
		return store.Committed{}, err
	}
	return change.receipt, nil
}

// change is a commit in the form in which it is written. It is a deep copy, because it
// may be written after its caller has given up.
type change struct {
	id, integration    string // the entry's; the id is 16 bytes
	evidence, decision string
	at, status, took   int64
	body               []byte
	expect             int64
	after              []byte // nil: not compared
	record             string
	claim              []store.Claim
	disown             []lifecycle.Digest
	eraseBodies        bool
	forget             bool
	receipt            store.Committed
}

func newChange(c *store.Commit) *change {
	e := &c.Entry
	to := &change{
		id: string(e.ID[:]), integration: strings.Clone(e.Integration),
		evidence: string(e.Evidence), decision: string(e.Decision),
		at: int64(e.At), status: int64(e.Response.Status), took: int64(e.Response.Took),
		body:   bytes.Clone(c.Body),
		expect: number(c.Expect), record: string(c.Record),
		claim: append([]store.Claim(nil), c.Claim...), disown: append([]lifecycle.Digest(nil), c.Disown...),
		eraseBodies: c.EraseBodies, forget: c.Forget,
	}
	if !c.After.IsZero() {
		to.after = c.After[:]
	}
	for i := range to.claim {
		to.claim[i].Sealed = bytes.Clone(to.claim[i].Sealed)
	}
	return to
}

// erases reports whether something that was sealed is gone afterwards.
func (c *change) erases() bool {
	return c.forget || c.eraseBodies || len(c.disown) > 0 ||
		slices.ContainsFunc(c.claim, func(claim store.Claim) bool { return len(claim.Sealed) > 0 && c.expect > 0 })
}

// number returns n as SQLite stores numbers. Positions and versions never come near the
// largest number, so anything larger becomes the largest.
func number(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

const (
	// What must be known before anything is written:
	selectStanding = `SELECT (SELECT position FROM entry WHERE id = ?), i.number, i.newest,
		max(b.removed, (SELECT coalesce(max(position), 0) FROM entry))
		FROM journal_bounds b LEFT JOIN integration i ON i.id = ?`
	selectOwner = `SELECT t.integration, i.id FROM token t JOIN integration i ON i.number = t.integration
		WHERE t.digest = ?`

	insertIntegration = `INSERT INTO integration (id, version, record, newest, last) VALUES (?, ?, ?, ?, ?)`
	updateIntegration = `UPDATE integration SET version = ?, record = ?, newest = ?, last = ?
		WHERE number = ? AND version = ? AND (? IS NULL OR last = ?)`
	updateBase = `UPDATE integration SET base = ?, base_version = ? WHERE number = ?`

	insertEntry = `INSERT INTO entry
		(position, id, integration, version, previous, at, evidence, decision, status, took)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertBody  = `INSERT INTO body (position, sealed) VALUES (?, ?)`
	insertToken = `INSERT INTO token (digest, integration, sealed) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET sealed = coalesce(excluded.sealed, sealed)`

	deleteToken   = `DELETE FROM token WHERE digest = ? AND integration = ?`
	deleteTokens  = `DELETE FROM token WHERE integration = ?`
	deleteBodies  = `DELETE FROM body WHERE position IN (` + historyFrom + `)`
	deleteEntries = `DELETE FROM entry WHERE position IN (` + historyFrom + `)`

	// The positions of an integration's entries, from the newest one back. Some of them
	// may be gone.
	historyFrom = `WITH RECURSIVE history (position) AS (VALUES (?)
		UNION ALL SELECT e.previous FROM history h JOIN entry e ON e.position = h.position)
		SELECT position FROM history`
)

// standing is what a commit is compared with.
type standing struct {
	repeated int64 // the position of the entry with the same id, 0 for none
	number   int64 // the integration's, 0 if there is none
	newest   int64 // the position of its newest entry
	last     int64 // the newest position there ever was
}

// apply checks everything before it changes anything.
func (c *change) apply(l *link) error {
	ctx := context.Background()
	c.receipt = store.Committed{}
	var at standing
	err := l.query(ctx, selectStanding, func(row []driver.Value) {
		at.repeated, _ = row[0].(int64)
		at.number, _ = row[1].(int64)
		at.newest, _ = row[2].(int64)
		at.last, _ = row[3].(int64)
	}, []byte(c.id), c.integration)
	if err != nil {
		return err
	}
	if at.repeated != 0 {
		return c.repeat(ctx, l)
	}
	if c.integration != "" {
		if err := c.admit(ctx, l, &at); err != nil {
			return err
		}
		if err := c.advance(ctx, l, &at); err != nil {
			return err
		}
		if err := c.writeKeys(ctx, l, &at); err != nil {
			return err
		}
	}
	return c.writeEntry(ctx, l, &at)
}

// changes are a commit and the one that happens with it.
type changes struct{ main, with *change }

// apply applies both or neither. A repetition is known by the entry of the commit itself, so
// what went with it is undone like what was refused.
func (c *changes) apply(l *link) error {
	ctx := context.Background()
	if _, _, err := l.exec(ctx, "SAVEPOINT both"); err != nil {
		return err
	}
	err := c.main.repeatOnly(ctx, l)
	if err == nil && !c.main.receipt.Repeated {
		if err = c.with.apply(l); err == nil && c.with.receipt.Repeated {
			err = store.ErrConflict
		}
		if err == nil {
			err = c.main.apply(l)
		}
	}
	if err != nil {
		if _, _, undone := l.exec(ctx, "ROLLBACK TO both"); undone != nil {
			return undone
		}
	}
	if _, _, released := l.exec(ctx, "RELEASE both"); released != nil {
		return released
	}
	return err
}

// repeatOnly fills in the receipt if the commit has happened before.
func (c *change) repeatOnly(ctx context.Context, l *link) error {
	c.receipt = store.Committed{}
	err := c.repeat(ctx, l)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func (c *change) repeat(ctx context.Context, l *link) error {
	e, err := entryByID(ctx, l, []byte(c.id))
	if err != nil {
		return err
	}
	c.receipt = store.Committed{Version: e.Version, Entry: e, Repeated: true}
	return nil
}

// admit returns ErrOwned if the commit claims a digest that belongs to another
// integration.
func (c *change) admit(ctx context.Context, l *link, at *standing) error {
	for i := range c.claim {
		d := &c.claim[i].Digest
		var owned error
		err := l.query(ctx, selectOwner, func(row []driver.Value) {
			if n, _ := row[0].(int64); n != at.number {
				owner, _ := row[1].(string)
				owned = &store.OwnedError{Digest: *d, Owner: owner}
			}
		}, d[:])
		if err != nil {
			return err
		}
		if owned != nil {
			return owned
		}
	}
	return nil
}

// advance is the compare-and-set and the first change. It returns ErrConflict if the
// integration is not at the version that the commit expects.
func (c *change) advance(ctx context.Context, l *link, at *standing) (err error) {
	switch {
	case c.expect == math.MaxInt64, (at.number == 0) != (c.expect == 0):
		return store.ErrConflict
	case at.number == 0:
		_, at.number, err = l.exec(ctx, insertIntegration, c.integration, c.expect+1, c.record, at.last+1, []byte(c.id))
		return err
	}
	changed, _, err := l.exec(ctx, updateIntegration, c.expect+1, c.record, at.last+1, []byte(c.id),
		at.number, c.expect, blob(c.after), blob(c.after))
	if err == nil && changed != 1 {
		err = store.ErrConflict
	}
	return err
}

// writeKeys writes what else belongs to the integration.
func (c *change) writeKeys(ctx context.Context, l *link, at *standing) error {
	if c.forget || c.eraseBodies {
		if _, _, err := l.exec(ctx, deleteBodies, at.newest); err != nil {
			return err
		}
	}
	if c.forget {
		if _, _, err := l.exec(ctx, deleteEntries, at.newest); err != nil {
			return err
		}
		if _, _, err := l.exec(ctx, deleteTokens, at.number); err != nil {
			return err
		}
		if _, _, err := l.exec(ctx, updateBase, c.record, c.expect+1, at.number); err != nil {
			return err
		}
	}
	for i := range c.disown {
		if _, _, err := l.exec(ctx, deleteToken, c.disown[i][:], at.number); err != nil {
			return err
		}
	}
	for i := range c.claim {
		if _, _, err := l.exec(ctx, insertToken, c.claim[i].Digest[:], at.number, blob(c.claim[i].Sealed)); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) writeEntry(ctx context.Context, l *link, at *standing) error {
	position := at.last + 1
	var integration driver.Value
	var version int64
	if c.integration != "" {
		integration, version = at.number, c.expect+1
	}
	_, _, err := l.exec(ctx, insertEntry, position, []byte(c.id), integration, version, at.newest,
		c.at, c.evidence, c.decision, c.status, c.took)
	if err != nil {
		return err
	}
	if len(c.body) > 0 {
		if _, _, err := l.exec(ctx, insertBody, position, c.body); err != nil {
			return err
		}
	}
	c.receipt = store.Committed{Version: uint64(version), Entry: store.Entry{
		Position: store.Position(position), ID: store.EntryID([]byte(c.id)),
		Integration: c.integration, Version: uint64(version), At: lifecycle.Instant(c.at),
		Evidence: []byte(c.evidence), Decision: []byte(c.decision),
		Response: response(c.status, c.took),
	}}
	return nil
}

// blob returns b as the driver takes it: NULL if it is empty.
func blob(b []byte) driver.Value {
	if len(b) == 0 {
		return nil
	}
	return b
}
