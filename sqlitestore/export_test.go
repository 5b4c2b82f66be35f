package sqlitestore

import (
	"context"
	"database/sql"
)

// NewRewritten is New with every statement given to rewrite before it is prepared.
func NewRewritten(ctx context.Context, db *sql.DB, opts *Options, rewrite func(query string) string) (*Store, error) {
	return open(ctx, db, opts, rewrite)
}
