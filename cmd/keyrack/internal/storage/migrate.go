package storage

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/pgstore"
)

// Migration is a connection to a database whose schema is to be looked at or brought up to
// date, without a store being opened on it.
type Migration struct {
	Has    int // the version of the schema, 0 if it is not there
	Newest int // the version that a store of this build opens on

	conn    *pgx.Conn
	options *pgstore.Options
}

// Migration connects to the database. The caller closes it.
func (u URL) Migration(ctx context.Context) (*Migration, error) {
	if u.Kind != Postgres {
		return nil, usage.Errorf("migrate is for PostgreSQL; a SQLite store brings itself up to date when it is opened, so copy it first: keyrack backup")
	}
	if err := u.checkSecrets(); err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(u.withoutPool())
	if err != nil {
		return nil, fmt.Errorf("the database: %s", reading(err))
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", told(pgstore.ErrUnreachable, connectionTrouble(err, &config.Config)))
	}
	m := &Migration{conn: conn, options: &pgstore.Options{Schema: u.Schema}}
	if m.Has, m.Newest, err = pgstore.Version(ctx, conn, m.options); err != nil {
		m.Close(ctx)
		return nil, fmt.Errorf("the version of the schema: %w", err)
	}
	return m, nil
}

// withoutPool leaves out of the URL what is for a pool alone: one connection would send it
// to the server.
func (u URL) withoutPool() string {
	base, query, has := strings.Cut(u.at, "?")
	if !has {
		return base
	}
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		if !strings.HasPrefix(part, "pool_") {
			kept = append(kept, part)
		}
	}
	return base + "?" + strings.Join(kept, "&")
}

// To brings the schema to a version.
func (m *Migration) To(ctx context.Context, version int) error {
	if err := pgstore.MigrateTo(ctx, m.conn, version, m.options); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

// Script returns the SQL that leads from the schema's version to another. It is written for
// the schema keyrack.
func (m *Migration) Script(to int) (string, error) {
	var all strings.Builder
	for version := m.Has + 1; version <= to; version++ {
		text, err := pgstore.Migrations.ReadFile(fmt.Sprintf("migrations/%04d.sql", version))
		if err != nil {
			return "", err
		}
		all.Write(text)
	}
	return all.String(), nil
}

// Close closes the connection.
func (m *Migration) Close(ctx context.Context) { _ = m.conn.Close(ctx) }
