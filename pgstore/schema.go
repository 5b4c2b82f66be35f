package pgstore

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Migrations are the files migrations/0001.sql and so on. Each leads from one version
// of the schema to the next. They are plain SQL for the schema keyrack, may be run
// again, and do not change once they are released. One that only adds to the schema lets
// builds from before work on: see the column oldest of the table schema_version.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// DB is what Migrate needs: a *pgxpool.Pool or a *pgx.Conn.
type DB interface {
	Begin(ctx context.Context) (pgx.Tx, error)
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// Migrate brings the schema up to date, in one transaction; if it already is, it does
// nothing. Several processes may call it at once. Of the options it uses only Schema.
// It leaves the schema of a newer version of this package as it is, and returns ErrNewer if
// this one cannot work on it.
//
// The user needs the right to create a schema in the database, or to create tables in
// the schema if that exists. Using the store takes the right to select, insert, update
// and delete.
func Migrate(ctx context.Context, db DB, opts *Options) error {
	return migrate(ctx, db, opts.schema(), len(migrations(opts.schema())))
}

// MigrateTo is Migrate up to a version, which is the number of a file of Migrations, for
// upgrades in steps. A schema that has it, or a later one, stays as it is. A version
// that does not exist is ErrSettings.
func MigrateTo(ctx context.Context, db DB, version int, opts *Options) error {
	if version < 1 || version > len(migrations(opts.schema())) {
		return ErrSettings
	}
	return migrate(ctx, db, opts.schema(), version)
}

// Version returns the version that the schema has, 0 if it is not there, and the newest
// that this package knows. A store opens on the newest, and on a later one that only adds
// to it; for any other later one the error is ErrNewer.
func Version(ctx context.Context, db DB, opts *Options) (has, newest int, err error) {
	has, err = schemaVersion(ctx, db, opts.schema())
	return has, len(migrations(opts.schema())), failure(ctx, err)
}

// migrations returns the SQL of each version, for the schema; that of version 1 first.
func migrations(schema string) []string {
	names, err := fs.Glob(Migrations, "migrations/*.sql") // in order
	if err != nil {
		panic(err) // the pattern is malformed
	}
	all := make([]string, len(names))
	for i, name := range names {
		text, err := Migrations.ReadFile(name)
		if err != nil {
			panic(err) // it was listed a moment ago
		}
		all[i] = string(text)
		if schema != defaultSchema {
			all[i] = rewrite(all[i], schema)
		}
	}
	return all
}

func migrate(ctx context.Context, db DB, schema string, to int) error {
	for attempt := 1; ; attempt++ {
		err := migrateOnce(ctx, db, schema, to)
		// Two transactions that create the same thing at once collide, with several
		// possible errors. The second time there is nothing left to create.
		if err == nil || isOurs(err) || attempt >= attempts {
			return failure(ctx, err)
		}
		if err := pause(ctx, attempt+3); err != nil {
			return failure(ctx, err)
		}
	}
}

func migrateOnce(ctx context.Context, db DB, schema string, to int) error {
	version, err := schemaVersion(ctx, db, schema)
	all := migrations(schema)
	if err != nil || version >= to {
		return err
	}
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // no-op after Commit
	for _, script := range all[version:to] {
		for statement := range statementsOf(script) {
			// The extended protocol would prepare statements that the next one changes.
			if _, err := tx.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
		}
	}
	return tx.Commit(ctx)
}

// statementsOf yields the statements of a migration. Inside a statement, no line ends
// in a semicolon.
func statementsOf(script string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var lines []string
		for line := range strings.Lines(script) {
			if strings.HasPrefix(strings.TrimSpace(line), "--") || strings.TrimSpace(line) == "" {
				continue
			}
			lines = append(lines, line)
			if !strings.HasSuffix(strings.TrimSpace(line), ";") {
				continue
			}
			if !yield(strings.Join(lines, "")) {
				return
			}
			lines = nil
		}
	}
}

// schemaVersion returns the version of the schema, 0 if there is none. ErrNewer: it is later
// than the newest that this package knows, and this package cannot work on it.
func schemaVersion(ctx context.Context, db DB, schema string) (int, error) {
	// The schemas before version 4 have no column oldest.
	query := "select version, coalesce(cast(to_jsonb(v) ->> 'oldest' as integer), version) from " + defaultSchema + ".schema_version v where one = 1"
	var version, oldest int
	err := db.QueryRow(ctx, rewrite(query, schema), pgx.QueryExecModeExec).Scan(&version, &oldest)
	switch code := codeOf(err); {
	case errors.Is(err, pgx.ErrNoRows), code == codeNoTable, code == codeNoSchema:
		return 0, nil
	}
	if newest := len(migrations(schema)); err == nil && version > newest && oldest > newest {
		return version, ErrNewer
	}
	return version, err
}

// checkVersion returns nil if this version of the package can work on the schema.
func checkVersion(ctx context.Context, db DB, schema string) error {
	version, err := schemaVersion(ctx, db, schema)
	if err == nil && version < len(migrations(schema)) {
		err = ErrNotMigrated
	}
	return err
}
