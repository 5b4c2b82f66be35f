package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/keyrack-dev/keyrack/store"
)

// The lock keeps two transactions that change several entries from waiting for each
// other: this one and the one that assigns positions.
const annotate = `with locked as (select one from keyrack.bounds where one = 1 for update)
update keyrack.entry set status = a.status, took = a.took
from locked, unnest($1::uuid[], $2::bigint[], $3::bigint[]) as a (id, status, took)
where entry.id = a.id`

// Annotate notes how deliveries were answered.
func (s *Store) Annotate(ctx context.Context, annotations ...store.Annotation) error {
	place := map[store.EntryID]int{}
	var ids []pgtype.UUID
	var status, took []int64
	for _, a := range annotations {
		i, ok := place[a.ID]
		if !ok {
			i = len(ids)
			place[a.ID] = i
			ids, status, took = append(ids, uuid(a.ID)), append(status, 0), append(took, 0)
		}
		status[i], took[i] = int64(a.Response.Status), int64(a.Response.Took)
	}
	if len(ids) == 0 {
		return s.run(ctx, freely, func() error { return nil })
	}
	_, err := s.exec(ctx, freely, annotate, ids, status, took)
	return err
}
