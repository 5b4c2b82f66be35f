package pgstore

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	loadIntegration = `select id, version, record, base, base_version, last from keyrack.integration where id = $1::bytea`
	scanPage        = `select id, version, record, base, base_version, last from keyrack.integration
where id > $1::bytea order by id limit $2::bigint`
	findOwner = `select integration from keyrack.token where digest = $1::bytea`
)

// pageSize is how many rows are read at once.
const pageSize = 500

// Load returns an integration, or ErrNotFound.
func (s *Store) Load(ctx context.Context, integration string) (store.Stored, error) {
	all, err := rows(ctx, s, loadIntegration, []any{[]byte(integration)}, scanStored)
	if err == nil && len(all) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Stored{}, err
	}
	return all[0], nil
}

func scanStored(row pgx.CollectableRow) (store.Stored, error) {
	var id []byte
	var version, baseVersion int64
	var stored store.Stored
	var last pgtype.UUID
	err := row.Scan(&id, &version, &stored.Record, &stored.Base, &baseVersion, &last)
	stored.Last = last.Bytes
	stored.Integration, stored.Version, stored.BaseVersion = string(id), uint64(version), uint64(baseVersion)
	return stored, err
}

// Scan yields all integrations whose id is greater than after, each as it is when
// its page is read.
func (s *Store) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return pages(after, func(after string) ([]store.Stored, error) {
		return rows(ctx, s, scanPage, []any{[]byte(after), int64(pageSize)}, scanStored)
	}, func(last store.Stored) string { return last.Integration })
}

// pages yields what page returns, page by page. Each page begins after the key of the
// last value of the previous one. A page that is not full is the last.
func pages[T, K any](after K, page func(after K) ([]T, error), key func(last T) K) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for after := after; ; {
			all, err := page(after)
			for _, v := range all {
				if !yield(v, nil) {
					return
				}
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			if len(all) < pageSize {
				return
			}
			after = key(all[len(all)-1])
		}
	}
}

// Owner returns the integration that owns a digest, or ErrNotFound.
func (s *Store) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	var owner []byte
	err := s.row(ctx, freely, store.ErrNotFound, findOwner, []any{d[:]}, &owner)
	return string(owner), err
}
