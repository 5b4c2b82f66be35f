package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack/store"
)

// promise is the version of a row of the table entry that is no entry, below 0:
// it says that no statement that was on its way when it was given makes an entry with
// this id.
//
// A client that dies, or whose connection is cut, may leave a commit behind that
// the server still carries out. Resolve must not say ErrNotFound of it, as
// long as it may yet happen. So it first takes the id's place: whatever was on
// its way finds the place taken, and is undone as a whole. A later Commit
// knows of the promise and breaks it, if it still is the one that it knows of;
// who asks again replaces it by the next one.
type promise int64

const (
	findEntry = `select ` + entryColumns + ` from keyrack.entry e where e.id = $1::uuid`
	// renew waits for whoever is breaking the promise just now.
	renewPromise = `update keyrack.entry set version = version - 1, arrived = ` + clock + ` where id = $1::uuid and version < 0`
	// make waits for whoever is adding the entry just now.
	makePromise = `insert into keyrack.entry (id, arrived, integration, version, at, evidence, decision, status, took)
values ($1::uuid, ` + clock + `, ''::bytea, -1, 0, ''::bytea, ''::bytea, 0, 0)
on conflict (id) do nothing`
	// A statement that has been on its way for a week is not coming any more.
	dropPromises = `delete from keyrack.entry
where version < 0 and arrived < ` + clock + ` - 604800000000`
)

// Resolve returns the receipt of the commit with this entry id, or ErrNotFound:
// then it writes, so that what may still be on its way to the database does
// not happen any more.
func (s *Store) Resolve(ctx context.Context, id store.EntryID) (receipt store.Receipt, err error) {
	if id.IsZero() && ctx.Err() == nil {
		return store.Receipt{}, store.ErrNotFound
	}
	err = s.run(ctx, freely, func() error {
		receipt, err = s.resolve(ctx, id)
		return err
	})
	return receipt, err
}

func (s *Store) resolve(ctx context.Context, id store.EntryID) (store.Receipt, error) {
	for {
		var e maybeEntry
		err := s.pool.QueryRow(ctx, s.in(findEntry), uuid(id)).Scan(e.fields()...)
		statement := renewPromise
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			statement = makePromise
		case err != nil:
			return store.Receipt{}, err
		case e.exists():
			return *e.receipt(), nil
		}
		tag, err := s.pool.Exec(ctx, s.in(statement), uuid(id))
		if err != nil {
			return store.Receipt{}, err
		}
		if tag.RowsAffected() == 1 {
			if statement == makePromise {
				_, _ = s.pool.Exec(ctx, s.in(dropPromises)) // the next one will
			}
			return store.Receipt{}, store.ErrNotFound
		}
	}
}
