package sqlitestore

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Text is cast to bytes when it is read, because the driver returns bytes without a
// second copy. In the file it is text, for people.
const entryColumns = `e.position, e.id, i.id, e.version, e.at,
	CAST(e.evidence AS BLOB), CAST(e.decision AS BLOB), e.status, e.took`

const selectEntry = `SELECT ` + entryColumns + ` FROM entry e
	LEFT JOIN integration i ON i.number = e.integration WHERE e.id = ?`

// readEntry reads entryColumns.
func readEntry(row []driver.Value) store.Entry {
	var e store.Entry
	position, _ := row[0].(int64)
	e.Position = store.Position(position)
	id, _ := row[1].([]byte)
	copy(e.ID[:], id)
	e.Integration, _ = row[2].(string)
	version, _ := row[3].(int64)
	e.Version = uint64(version)
	at, _ := row[4].(int64)
	e.At = lifecycle.Instant(at)
	e.Evidence, _ = row[5].([]byte)
	e.Decision, _ = row[6].([]byte)
	status, _ := row[7].(int64)
	took, _ := row[8].(int64)
	e.Response = response(status, took)
	return e
}

func response(status, took int64) store.Response {
	return store.Response{Status: int(status), Took: time.Duration(took)}
}

// entryByID returns an entry, or ErrNotFound.
func entryByID(ctx context.Context, l *link, id []byte) (store.Entry, error) {
	var e store.Entry
	err := l.query(ctx, selectEntry, func(row []driver.Value) { e = readEntry(row) }, id)
	if err == nil && e.Position == 0 {
		err = store.ErrNotFound
	}
	return e, err
}
