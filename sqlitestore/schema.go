package sqlitestore

import (
	"context"
	_ "embed"
	"strconv"
	"strings"
)

// applicationID marks the file as Keyrack's: "Kyrk" in ASCII, at byte 68.
const applicationID = 0x4b79726b

//go:embed schema.sql
var schema string

// migrations lead from one version of the schema, the index, to the next. The version
// is the file's user_version. A migration that was released never changes.
var migrations = []string{
	0: schema,
	// How long a lease lasts without being renewed, in microseconds; 0: not known.
	1: `ALTER TABLE lease ADD COLUMN length INTEGER NOT NULL DEFAULT 0;`,
	// Which history versions and positions belong to: the entry that made an integration's
	// version, NULL if it was gone already, and a name for the whole.
	2: `ALTER TABLE integration ADD COLUMN last BLOB;
		UPDATE integration SET last = (SELECT id FROM entry WHERE position = newest);
		ALTER TABLE journal_bounds ADD COLUMN incarnation TEXT NOT NULL DEFAULT '';
		UPDATE journal_bounds SET incarnation = lower(hex(randomblob(16)));`,
	// Marks by which a page of a long history is found. They cost one commit in 64 a page.
	3: `CREATE INDEX entry_marked ON entry (integration) WHERE version % 64 = 0 AND version > 0;`,
}

// migrate brings the schema to this version, in one transaction. It returns ErrForeign
// for a database that belongs to something else, and ErrNewer for one that a newer
// version of this package has changed.
func migrate(ctx context.Context, l *link) error {
	// The transaction begins even if there is nothing to do: it shows that the database
	// can be written to, and waits for another process that migrates.
	return transact(ctx, l, "BEGIN IMMEDIATE", func() error {
		version, err := schemaVersion(ctx, l)
		if err != nil || version == len(migrations) {
			return err
		}
		for _, script := range migrations[version:] {
			if _, _, err := l.exec(ctx, script); err != nil {
				return err
			}
		}
		if _, err := l.pragma(ctx, "application_id = "+strconv.Itoa(applicationID)); err != nil {
			return err
		}
		_, err = l.pragma(ctx, "user_version = "+strconv.Itoa(len(migrations)))
		return err
	})
}

// schemaVersion returns the version of the schema, 0 for an empty database. Call it in
// a transaction, or it may read several moments.
func schemaVersion(ctx context.Context, l *link) (int, error) {
	var answers [3]string
	for i, name := range []string{"application_id", "user_version", "schema_version"} {
		var err error
		if answers[i], err = l.pragma(ctx, name); err != nil {
			return 0, err
		}
	}
	switch version, err := strconv.Atoi(answers[1]); {
	case answers == [3]string{"0", "0", "0"}: // nobody ever made a table in it
		return 0, nil
	case err != nil || answers[0] != strconv.Itoa(applicationID) || version < 1:
		return 0, ErrForeign
	case version > len(migrations):
		return 0, ErrNewer
	default:
		return version, nil
	}
}

// transact runs f in a transaction. After BEGIN it reads one moment; after BEGIN
// IMMEDIATE it alone may write.
func transact(ctx context.Context, l *link, begin string, f func() error) error {
	if _, _, err := l.exec(ctx, begin); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, _, err = l.exec(ctx, "COMMIT")
	}
	if err != nil {
		// SQLite may have undone the transaction already.
		_, _, _ = l.exec(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

// durable sets WAL and synchronous=FULL, reads both back, and returns ErrNotDurable if
// they are not in force.
func durable(ctx context.Context, l *link) error {
	mode, err := l.pragma(ctx, "journal_mode = WAL")
	if err != nil {
		return err
	}
	if _, err := l.pragma(ctx, "synchronous = FULL"); err != nil {
		return err
	}
	level, err := l.pragma(ctx, "synchronous")
	if err != nil {
		return err
	}
	if !strings.EqualFold(mode, "wal") || level != "2" && level != "3" { // FULL, EXTRA
		return ErrNotDurable
	}
	return nil
}
