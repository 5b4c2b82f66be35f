package pgstore

import (
	"context"
	"iter"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	// What came after the snapshot by which positions were given last: entries of
	// transactions that had not begun then, or had not ended. A snapshot of another
	// cluster, out of a dump, may lie in the future; then everything is looked at.
	freshFrom = `(case when b.seen is null or pg_snapshot_xmax(b.seen) > pg_snapshot_xmax(pg_current_snapshot())
  then '0'::xid8 else pg_snapshot_xmax(b.seen) end)`
	unended = `any(array(select pg_snapshot_xip(b.seen)))`
	pending = `(exists (select 1 from keyrack.entry where position is null and xact >= ` + freshFrom + `)
  or exists (select 1 from keyrack.entry where position is null and xact = ` + unended + `))`
	getBounds = `select b.trimmed, b.last, ` + pending + ` from keyrack.bounds b where b.one = 1`

	// A page comes with the bounds of the same moment. If there is no entry it is one
	// row without one.
	journalPage = `select b.trimmed, b.last, b.pending, ` + entryColumns + `
from (select b.trimmed, b.last, ` + pending + ` as pending from keyrack.bounds b where b.one = 1) b
left join (
  select * from keyrack.entry where position > $1::bigint and position <= $2::bigint order by position limit $3::bigint
) e on true
order by e.position`

	historyPage = `select ` + entryColumns + ` from keyrack.entry e
where e.integration = $1::bytea and e.version > $2::bigint and e.version > 0 order by e.version limit $3::bigint`
	placeOf      = `select ` + entryColumns + ` from keyrack.entry e where e.id = $1::uuid and e.integration = $2::bytea`
	namelessPage = `select ` + entryColumns + ` from keyrack.entry e
where e.integration = ''::bytea and e.version = 0 and e.position > $1::bigint and e.position <= $2::bigint
order by e.position limit $3::bigint`
)

// bounds are where the journal begins and ends, at one moment.
type bounds struct {
	trimmed, last int64
	pending       bool // there are entries without a position
}

// sequence gives positions to all entries that were committed before it began: it
// takes the lock of the bounds, and only then looks which ones there are. So
// positions become visible in their order, and what is given one is never
// before what a reader has seen. The order is that of arrival; a long backlog gets
// its positions in parts, by transaction. Either way each integration's entries
// keep the order of their versions, since no transaction commits a version before it could
// see the one before. Once all have theirs, the snapshot of the statement is kept: what it
// saw nobody has to look at again.
//
// Both statements run in one transaction and one round trip.
const (
	// The order and the small limit of the innermost parts keep the planner from
	// reading a large table whole, whatever it believes.
	givePositions = `with pending as (
  select id, row_number() over (order by arrived, id) as place
  from (
    (select e.arrived, e.id from keyrack.bounds b, keyrack.entry e
     where b.one = 1 and e.position is null and e.xact >= ` + freshFrom + `
     order by e.xact, e.integration, e.version, e.id limit 1000)
    union all
    (select e.arrived, e.id from keyrack.bounds b, keyrack.entry e
     where b.one = 1 and e.position is null and e.xact = ` + unended + ` and e.xact < ` + freshFrom + `
     order by e.xact, e.integration, e.version, e.id limit 1000)
  ) next
), counted as (
  update keyrack.bounds set last = last + (select count(*) from pending),
    seen = case when (select count(*) from pending) < 1000 then pg_current_snapshot() else seen end
  where one = 1
  returning last - (select count(*) from pending) as base
)
update keyrack.entry set position = counted.base + pending.place
from pending, counted where entry.id = pending.id and entry.position is null`
	sequenceAtOnce = 1000
)

func (s *Store) sequence(ctx context.Context) error {
	for {
		var given int64
		err := s.run(ctx, freely, func() error {
			var batch pgx.Batch
			batch.Queue(s.in(lockBounds))
			batch.Queue(s.in(givePositions))
			results := s.pool().SendBatch(ctx, &batch)
			_, err := results.Exec()
			if err == nil {
				tag, failed := results.Exec()
				given, err = tag.RowsAffected(), failed
			}
			if closed := results.Close(); err == nil {
				err = closed
			}
			return err
		})
		if err != nil || given < sequenceAtOnce {
			return err
		}
	}
}

// sequenced returns the bounds once everything that was committed before has its
// position.
func (s *Store) sequenced(ctx context.Context) (b bounds, err error) {
	for attempt := range 2 {
		err = s.row(ctx, freely, ErrOther, getBounds, nil, &b.trimmed, &b.last, &b.pending)
		if err != nil || !b.pending || attempt > 0 {
			break // what is pending now arrived meanwhile
		}
		if err = s.sequence(ctx); err != nil {
			break
		}
	}
	return b, err
}

// Journal yields all entries after a position. It reads them in pages.
func (s *Store) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		after, until := position(after), int64(math.MaxInt64)
		for first := true; ; first = false {
			b, page, err := s.journalPage(ctx, after, until)
			if first && err == nil && b.pending {
				if err = s.sequence(ctx); err == nil {
					b, page, err = s.journalPage(ctx, after, until)
				}
			}
			if err == nil && after < b.trimmed {
				page, err = nil, store.ErrTrimmed
			}
			if first {
				until = b.last
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				after = int64(e.Position)
			}
			if err != nil {
				yield(store.Entry{}, err)
				return
			}
			if len(page) < pageSize || after >= until {
				return
			}
		}
	}
}

// journalPage returns the next entries after a position, and the bounds.
func (s *Store) journalPage(ctx context.Context, after, until int64) (b bounds, page []store.Entry, err error) {
	page = make([]store.Entry, 0, 16)
	found, err := rows(ctx, s, journalPage, []any{after, until, int64(pageSize)},
		func(row pgx.CollectableRow) (maybeEntry, error) {
			var e maybeEntry
			return e, row.Scan(append([]any{&b.trimmed, &b.last, &b.pending}, e.fields()...)...)
		})
	for i := range found {
		if found[i].exists() {
			page = append(page, found[i].entry())
		}
	}
	return b, page, err
}

// Bounds returns the first position from which Journal can be followed, and the
// position of the newest entry.
func (s *Store) Bounds(ctx context.Context) (first, last store.Position, err error) {
	b, err := s.sequenced(ctx)
	return store.Position(b.trimmed), store.Position(b.last), err
}

// History yields the remaining entries of one integration, oldest first.
func (s *Store) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	if integration == "" {
		return s.historyOfNone(ctx, after)
	}
	return func(yield func(store.Entry, error) bool) {
		at, err := s.placeOf(ctx, integration, after)
		if err != nil {
			yield(store.Entry{}, err)
			return
		}
		pages(at.Version, func(after uint64) ([]store.Entry, error) {
			return rows(ctx, s, historyPage, []any{[]byte(integration), int64(after), int64(pageSize)}, scanEntry)
		}, func(last store.Entry) uint64 { return last.Version })(yield)
	}
}

// placeOf returns an entry of an integration; a zero one if it has none with that id.
func (s *Store) placeOf(ctx context.Context, integration string, id store.EntryID) (store.Entry, error) {
	if id.IsZero() {
		return store.Entry{}, nil
	}
	found, err := rows(ctx, s, placeOf, []any{uuid(id), []byte(integration)}, scanEntry)
	if err != nil || len(found) == 0 {
		return store.Entry{}, err
	}
	return found[0], nil
}

// historyOfNone yields the entries without an integration. They are ordered by
// position, so all of them need one.
func (s *Store) historyOfNone(ctx context.Context, after store.EntryID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		b, err := s.sequenced(ctx)
		if err != nil {
			yield(store.Entry{}, err)
			return
		}
		at, err := s.placeOf(ctx, "", after) // it has its position by now
		if err != nil {
			yield(store.Entry{}, err)
			return
		}
		pages(at.Position, func(after store.Position) ([]store.Entry, error) {
			return rows(ctx, s, namelessPage, []any{position(after), b.last, int64(pageSize)}, scanEntry)
		}, func(last store.Entry) store.Position { return last.Position })(yield)
	}
}
