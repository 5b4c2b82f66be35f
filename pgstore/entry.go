package pgstore

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// maybeEntry is a row of the table entry, or of a left join with it.
type maybeEntry struct {
	id                 pgtype.UUID
	position           int64
	integration        []byte
	version            *int64
	at, status, took   *int64
	evidence, decision []byte
}

// fields are the destinations of the entryColumns.
func (e *maybeEntry) fields() []any {
	return []any{&e.id, &e.position, &e.integration, &e.version, &e.at, &e.evidence, &e.decision, &e.status, &e.took}
}

func (e *maybeEntry) exists() bool { return e.version != nil }

// entry returns the entry, if the row has one. Its slices are its own.
func (e *maybeEntry) entry() store.Entry {
	return store.Entry{
		Position: store.Position(e.position), ID: e.id.Bytes,
		Integration: string(e.integration), Version: uint64(*e.version),
		At:       lifecycle.Instant(*e.at),
		Evidence: e.evidence, Decision: e.decision,
		Response: store.Response{Status: int(*e.status), Took: time.Duration(*e.took)},
	}
}

// receipt returns the receipt for repeating a commit that exists.
func (e *maybeEntry) receipt() *store.Committed {
	return &store.Committed{Version: uint64(*e.version), Entry: e.entry(), Repeated: true}
}

func scanEntry(row pgx.CollectableRow) (store.Entry, error) {
	var e maybeEntry
	err := row.Scan(e.fields()...)
	if err != nil {
		return store.Entry{}, err
	}
	return e.entry(), nil
}
