package sqlitestore

import (
	"context"
	"database/sql/driver"
	"iter"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	integrationColumns = `id, version, CAST(record AS BLOB), base_version, CAST(base AS BLOB), last`
	selectIntegration  = `SELECT ` + integrationColumns + ` FROM integration WHERE id = ?`
	scanIntegrations   = `SELECT ` + integrationColumns + ` FROM integration WHERE id > ? ORDER BY id LIMIT ?`
)

func readStored(row []driver.Value) store.Stored {
	var stored store.Stored
	stored.Integration, _ = row[0].(string)
	version, _ := row[1].(int64)
	stored.Version = uint64(version)
	stored.Record, _ = row[2].([]byte)
	baseVersion, _ := row[3].(int64)
	stored.BaseVersion = uint64(baseVersion)
	stored.Base, _ = row[4].([]byte)
	last, _ := row[5].([]byte)
	copy(stored.Last[:], last)
	return stored
}

// Load returns an integration, or ErrNotFound.
func (s *Store) Load(ctx context.Context, integration string) (store.Stored, error) {
	var stored store.Stored
	err := s.read(ctx, selectIntegration, func(row []driver.Value) { stored = readStored(row) }, integration)
	if err == nil && stored.Version == 0 {
		err = store.ErrNotFound
	}
	return stored, err
}

// Scan yields all integrations whose id is greater than after. It reads pages, and
// fetches the next one while the consumer works on the current one.
func (s *Store) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return paged(ctx, func(last *store.Stored) (page []store.Stored, err error) {
		from := after
		if last != nil {
			from = last.Integration
		}
		err = s.read(ctx, scanIntegrations, func(row []driver.Value) {
			page = append(page, readStored(row))
		}, from, int64(pageSize))
		return page, err
	})
}

// Owner returns the integration that owns a digest, or ErrNotFound.
func (s *Store) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	owner, found := "", false
	err := s.read(ctx, selectOwner, func(row []driver.Value) {
		owner, found = row[1].(string)
	}, d[:])
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return owner, err
}

// paged yields what next returns, page by page, until a page is not full. Next is given
// the last element of the previous page, nil at first. It runs in the background while
// the consumer works on the previous page, and has returned when the iteration ends.
func paged[T any](ctx context.Context, next func(last *T) ([]T, error)) iter.Seq2[T, error] {
	type result struct {
		page []T
		err  error
	}
	return func(yield func(T, error) bool) {
		pages := make(chan result, 1)
		fetch := func(last *T) {
			page, err := next(last)
			pages <- result{page, err}
		}
		fetch(nil)
		for {
			r := <-pages
			if r.err != nil {
				var zero T
				yield(zero, r.err)
				return
			}
			more := len(r.page) == pageSize
			if more {
				last := r.page[len(r.page)-1] // a copy: the consumer owns what it was given
				go fetch(&last)
			}
			for _, v := range r.page {
				err := ctx.Err()
				if err != nil {
					v, err = *new(T), failure(ctx, err)
				}
				if !yield(v, err) || err != nil {
					if more {
						<-pages
					}
					return
				}
			}
			if !more {
				return
			}
		}
	}
}
