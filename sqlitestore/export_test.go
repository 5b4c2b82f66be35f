package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// NewRewritten is New with every statement given to rewrite before it is prepared.
func NewRewritten(ctx context.Context, db *sql.DB, opts *Options, rewrite func(query string) string) (*Store, error) {
	return open(ctx, db, opts, rewrite)
}

// Publish is how a finished backup gets its name.
func Publish(partial, path string) error { return publish(partial, path) }

// Stats are the numbers of a store.
type Stats struct {
	Integrations int64
	Entries      int64
	Tokens       int64 // digests that have an owner
	Bytes        int64 // of the database, without its log
	FreeBytes    int64 // of these, those that the next commits will use again
}

// Stats counts.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	var stats Stats
	err := s.read(ctx, `SELECT (SELECT count(*) FROM integration), (SELECT count(*) FROM entry),
		(SELECT count(*) FROM token), p.page_count * z.page_size, f.freelist_count * z.page_size
		FROM pragma_page_count p, pragma_page_size z, pragma_freelist_count f`,
		func(row []driver.Value) {
			for i, to := range []*int64{&stats.Integrations, &stats.Entries, &stats.Tokens, &stats.Bytes, &stats.FreeBytes} {
				*to, _ = row[i].(int64)
			}
		})
	return stats, err
}
