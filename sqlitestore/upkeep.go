package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/keyrack-dev/keyrack/internal/newname"
)

// Checkpoint copies the write-ahead log into the database and empties it. Afterwards
// erased values are gone everywhere, and the file alone holds everything. It waits up
// to Options.BusyTimeout for readers of other processes. If they still use the log it
// returns ErrBusy, and erased values may remain.
func (s *Store) Checkpoint(ctx context.Context) error {
	return s.aside(ctx, func(l *link) error {
		busy, err := emptyLog(ctx, l)
		if err == nil && busy {
			err = &Error{kind: ErrBusy}
		}
		return err
	})
}

// emptyLog copies the write-ahead log into the database and empties it, unless others
// read from it.
func emptyLog(ctx context.Context, l *link) (busy bool, err error) {
	err = l.query(ctx, "PRAGMA wal_checkpoint(TRUNCATE)", func(row []driver.Value) {
		busy = row[0] != int64(0)
	})
	if isBusy(failure(ctx, err)) {
		busy, err = true, nil
	}
	return busy, err
}

// aside calls f with a connection of its own, which is closed afterwards.
func (s *Store) aside(ctx context.Context, f func(*link) error) error {
	// A reader's place is held meanwhile, so that Close waits.
	return s.reading(ctx, func(*link) error {
		conn, err := s.db.Conn(ctx)
		if err != nil {
			return failure(ctx, err)
		}
		l := newLink(conn, nil)
		defer l.discard()
		if err = s.setup.common(ctx, l); err == nil {
			err = f(l)
		}
		return failure(ctx, err)
	})
}

// Backup writes a copy of the database, as it is at one moment, to a new file, while
// the store keeps working. The file appears when it is complete and durable, and only
// its owner can read it. Until then its name ends in ".partial"; a crash leaves that
// file behind, and the next Backup replaces it. If path already exists, Backup returns
// an error that wraps os.ErrExist. Open opens the copy. The copy is worthless without
// the sealing key, so keep that elsewhere.
func (s *Store) Backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("sqlitestore: backup: %w", os.ErrExist)
	}
	partial := path + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, os.ErrNotExist) {
		return ioError(err)
	}
	if err := create(partial); err != nil {
		return err
	}
	err := s.aside(ctx, func(l *link) error {
		_, _, err := l.exec(ctx, "VACUUM INTO ?", partial)
		return err
	})
	if err == nil {
		if err = publish(partial, path); errors.Is(err, os.ErrExist) { // since it was looked for
			err = fmt.Errorf("sqlitestore: backup: %w", os.ErrExist)
		} else {
			err = ioError(err)
		}
	}
	if err != nil {
		_ = os.Remove(partial)
	}
	return err
}

// publish makes a file durable under its final name, which nothing may have already.
func publish(partial, path string) error {
	f, err := os.OpenFile(partial, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := newname.Give(partial, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder durable, where the system can.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = d.Sync() // Windows cannot, and does not need to
	return d.Close()
}

// CheckError says what Check found. It unwraps to ErrCorrupt.
type CheckError struct {
	// Problems are what SQLite reports, which names tables and rows but no values, and
	// inconsistencies that SQLite does not see.
	Problems []string
}

func (e *CheckError) Error() string {
	return fmt.Sprintf("%v: %d problems", ErrCorrupt, len(e.Problems))
}

// Unwrap returns ErrCorrupt.
func (e *CheckError) Unwrap() error { return ErrCorrupt }

// rules are queries that return no row on a sound database.
var rules = []struct{ problem, query string }{
	{"an entry is newer than the record of its integration",
		`SELECT 1 FROM entry e JOIN integration i ON i.number = e.integration WHERE e.version > i.version`},
	{"an integration has two entries of one version",
		`SELECT 1 FROM entry WHERE integration IS NOT NULL GROUP BY integration, version HAVING count(*) > 1`},
	{"an integration lacks the entry of a version",
		`SELECT 1 FROM integration i LEFT JOIN (SELECT integration, count(*) AS n, max(version) AS newest FROM entry GROUP BY integration) e
			ON e.integration = i.number
			WHERE i.version > i.base_version AND coalesce(e.n, 0) < i.version - i.base_version
			OR e.newest < i.version`},
	{"an entry does not hang together with its integration's others",
		`SELECT position FROM entry WHERE integration IS NOT NULL
			EXCEPT SELECT newest FROM integration EXCEPT SELECT previous FROM entry`},
	{"an entry hangs together with another integration's",
		`SELECT 1 FROM entry e JOIN entry p ON p.position = e.previous WHERE p.integration IS NOT e.integration
			UNION ALL SELECT 1 FROM integration i JOIN entry e ON e.position = i.newest WHERE e.integration IS NOT i.number`},
	{"an entry is left that should have been trimmed",
		`SELECT 1 FROM entry e JOIN integration i ON i.number = e.integration
			WHERE e.version < i.base_version`},
	{"the base of a record is newer than the record",
		`SELECT 1 FROM integration WHERE base_version > version`},
	{"the journal's bounds contradict each other",
		`SELECT 1 FROM journal_bounds WHERE trimmed > removed`},
	{"the journal's bounds are missing",
		`SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM journal_bounds)`},
}

// Check reads the whole database and returns a *CheckError if it is not sound. It takes
// a while and blocks nobody.
func (s *Store) Check(ctx context.Context) error {
	var problems []string
	err := s.aside(ctx, func(l *link) error {
		// All of it is read at one moment.
		if _, _, err := l.exec(ctx, "BEGIN"); err != nil {
			return err
		}
		err := l.query(ctx, "PRAGMA integrity_check", func(row []driver.Value) {
			if text, _ := row[0].(string); text != "ok" {
				problems = append(problems, text)
			}
		})
		if err != nil {
			return err
		}
		err = l.query(ctx, "PRAGMA foreign_key_check", func(row []driver.Value) {
			problems = append(problems, fmt.Sprintf("a row of table %v belongs to nothing", row[0]))
		})
		if err != nil {
			return err
		}
		missing, err := amiss(ctx, l)
		if err != nil {
			return err
		}
		problems = append(problems, missing...)
		for _, rule := range rules {
			found := false
			if err := l.query(ctx, rule.query, func([]driver.Value) { found = true }); err != nil {
				return err
			}
			if found {
				problems = append(problems, rule.problem)
			}
		}
		return nil
	})
	if len(problems) > 0 && (err == nil || errors.Is(err, ErrCorrupt)) {
		return &CheckError{Problems: problems}
	}
	return err
}

// amiss compares the schema with a fresh one. Additions by others are left alone.
func amiss(ctx context.Context, l *link) (problems []string, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	fresh := newLink(conn, nil)
	defer fresh.discard()
	for _, script := range migrations {
		if _, _, err := fresh.exec(ctx, script); err != nil {
			return nil, err
		}
	}
	want, err := parts(ctx, fresh)
	if err != nil {
		return nil, err
	}
	got, err := parts(ctx, l)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if text, ok := got[name]; !ok || text != want[name] {
			problems = append(problems, fmt.Sprintf("the schema's %s is missing, or another", name))
		}
	}
	return problems, err
}

// parts are the pieces of a schema: the text of each table, index, view and trigger.
func parts(ctx context.Context, l *link) (map[string]string, error) {
	all := map[string]string{}
	err := l.query(ctx, "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema", func(row []driver.Value) {
		name, _ := row[0].(string)
		all[name], _ = row[1].(string)
	})
	return all, err
}
