package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// execute runs SQL on a file, as another program would.
func execute(t *testing.T, path, query string) {
	t.Helper()
	db := foreign(t, path)
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func foreign(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(1000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func mustOpen(t *testing.T, path string, opts *sqlitestore.Options) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	newer := path("newer.db")
	mustOpen(t, newer, nil).Close()
	execute(t, newer, "PRAGMA user_version = 1000")
	execute(t, path("tables.db"), "CREATE TABLE guests (name TEXT)")
	execute(t, path("application.db"), "CREATE TABLE guests (name TEXT); PRAGMA application_id = 7; PRAGMA user_version = 1")
	if err := os.WriteFile(path("text"), []byte(strings.Repeat("This is no database. ", 300)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want error
	}{
		{newer, sqlitestore.ErrNewer},
		{path("tables.db"), sqlitestore.ErrForeign},
		{path("application.db"), sqlitestore.ErrForeign},
		{path("text"), sqlitestore.ErrForeign},
		{path("missing/keyrack.db"), sqlitestore.ErrPath},
		{path("text/keyrack.db"), sqlitestore.ErrPath},
		{dir, sqlitestore.ErrPath},
		{"", sqlitestore.ErrNotDurable},
		{":memory:", sqlitestore.ErrNotDurable},
	} {
		before, _ := os.ReadFile(c.path)
		_, err := sqlitestore.Open(t.Context(), c.path, nil)
		if !errors.Is(err, c.want) {
			t.Errorf("Open(%q): got %v, want %v", c.path, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), dir) {
			t.Errorf("the error holds the path: %v", err)
		}
		if logged := guard.Foreign("store", err); !strings.Contains(logged.Error(), c.want.Error()) {
			t.Errorf("Open(%q): a log says %q, and not what failed", c.path, logged)
		}
		if after, _ := os.ReadFile(c.path); string(after) != string(before) {
			t.Errorf("Open(%q) refused, and changed the file", c.path)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	db := foreign(t, filepath.Join(t.TempDir(), "keyrack.db"))
	defer db.Close()
	db.SetMaxOpenConns(2)
	if _, err := sqlitestore.New(t.Context(), db, nil); !errors.Is(err, sqlitestore.ErrPool) {
		t.Errorf("a pool of two: %v", err)
	}
	memory, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	if _, err := sqlitestore.New(t.Context(), memory, nil); !errors.Is(err, sqlitestore.ErrNotDurable) {
		t.Errorf("a database in memory: %v", err)
	}
}

// TestNewLeavesTheHandleAlone: the application goes on with its handle, on connections
// that are as it made them.
func TestNewLeavesTheHandleAlone(t *testing.T) {
	db := foreign(t, filepath.Join(t.TempDir(), "keyrack.db"))
	defer db.Close()
	db.SetMaxOpenConns(3)
	s, err := sqlitestore.New(t.Context(), db, &sqlitestore.Options{Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), testCommit("a", 0, 10)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM journal").Scan(&n); err != nil || n != 1 {
		t.Errorf("the application's own query: %d, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		var readOnly int
		if err := db.QueryRow("PRAGMA query_only").Scan(&readOnly); err != nil || readOnly != 0 {
			t.Errorf("query_only of the application's connection: %d, %v", readOnly, err)
		}
	}
}

func TestFileIsForItsOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	path := filepath.Join(t.TempDir(), "a name?with #odd %41 characters.db")
	s := mustOpen(t, path, nil)
	if _, err := s.Commit(t.Context(), testCommit("a", 0, 10)); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + end)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("the mode of *%s is %v", end, info.Mode())
		}
	}
}

func TestClosed(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "keyrack.db"), nil)
	ctx := t.Context()
	if _, err := s.Commit(ctx, testCommit("a", 0, 10)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	_, commit := s.Commit(ctx, testCommit("a", 1, 10))
	_, load := s.Load(ctx, "a")
	_, sealed := s.Sealed(ctx, store.Ref{})
	_, acquire := s.Acquire(ctx, "", "", 0)
	var scan error
	for _, scan = range s.Scan(ctx, "") {
	}
	for what, err := range map[string]error{
		"Commit": commit, "Load": load, "Scan": scan, "Sealed": sealed, "Acquire": acquire,
		"Annotate": s.Annotate(ctx), "Check": s.Check(ctx), "Backup": s.Backup(ctx, filepath.Join(t.TempDir(), "b")),
	} {
		if !errors.Is(err, sqlitestore.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

// TestBusy holds the database as another process that writes would.
func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyrack.db")
	ctx := t.Context()
	s := mustOpen(t, path, &sqlitestore.Options{BusyTimeout: 300 * time.Millisecond})
	if _, err := s.Commit(ctx, testCommit("a", 0, 10)); err != nil {
		t.Fatal(err)
	}
	db := foreign(t, path)
	defer db.Close()
	other, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	began := time.Now()
	abandoned := testCommit("a", 1, 10)
	if _, err := s.Commit(short, abandoned); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Commit with a short patience: %v", err)
	}
	if took := time.Since(began); took > 200*time.Millisecond {
		t.Errorf("Commit obeyed its context after %v", took)
	}
	if _, err := s.Commit(ctx, testCommit("a", 1, 10)); !errors.Is(err, sqlitestore.ErrBusy) {
		t.Errorf("Commit while another writes: %v", err)
	}
	// Reading waits for nobody.
	began = time.Now()
	if stored, err := s.Load(ctx, "a"); err != nil || stored.Version != 1 {
		t.Errorf("Load while another writes: %v", err)
	}
	if took := time.Since(began); took > 100*time.Millisecond {
		t.Errorf("Load waited %v for a writer", took)
	}
	if _, err := other.ExecContext(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	// What was given up before its turn came never happens.
	for e, err := range s.History(ctx, "a", store.EntryID{}) {
		if err != nil || e.ID == abandoned.Entry.ID {
			t.Errorf("what was given up is in the journal; error %v", err)
		}
	}
	if _, err := s.Commit(ctx, testCommit("a", 1, 10)); err != nil {
		t.Errorf("Commit, once nobody else writes: %v", err)
	}
}

// TestReadable looks at the file as a person with the sqlite3 command would.
func TestReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyrack.db")
	s := mustOpen(t, path, nil)
	c := testCommit("a", 0, 10)
	c.Entry.At = lifecycle.At(time.Date(2026, 11, 23, 21, 5, 7, 89_000_000, time.UTC))
	c.Entry.Response = store.Response{Status: 204, Took: 1500 * time.Microsecond}
	if _, err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	db := foreign(t, path)
	defer db.Close()
	var at, integration, of, id string
	var status int
	var took float64
	err := db.QueryRow("SELECT at, integration, json_extract(evidence, '$.of'), id, status, took_ms FROM journal").
		Scan(&at, &integration, &of, &id, &status, &took)
	if err != nil {
		t.Fatal(err)
	}
	if at != "2026-11-23 21:05:07.089000Z" || integration != "a" || of != "a" || id != c.Entry.ID.String() || status != 204 || took != 1.5 {
		t.Errorf("the journal reads: %q %q %q %q %d %g", at, integration, of, id, status, took)
	}
	var version, tokens int
	if err := db.QueryRow("SELECT version, tokens FROM integrations WHERE json_extract(record, '$.of') = 'a'").Scan(&version, &tokens); err != nil || version != 1 || tokens != 1 {
		t.Errorf("the integration reads: %d %d, %v", version, tokens, err)
	}
}

// TestOpenTogether: several that open a new file at the same time all get it.
func TestOpenTogether(t *testing.T) {
	for range 30 {
		path := filepath.Join(t.TempDir(), "keyrack.db")
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				s, err := sqlitestore.Open(t.Context(), path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if _, err := s.Commit(t.Context(), testCommit(fmt.Sprint(i), 0, 10)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// TestOpenWhileTheSchemaIsMade: what is read of a schema is of one moment.
func TestOpenWhileTheSchemaIsMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyrack.db")
	execute(t, path, "PRAGMA journal_mode = WAL; CREATE TABLE t (x); DROP TABLE t; PRAGMA schema_version = 0")
	db := foreign(t, path)
	defer db.Close()
	made := false
	s, err := sqlitestore.NewRewritten(t.Context(), db, nil, func(query string) string {
		if query == "PRAGMA user_version" && !made {
			made = true
			other, err := sqlitestore.Open(t.Context(), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { other.Close() })
		}
		return query
	})
	if err != nil || !made {
		t.Fatalf("the schema was made meanwhile, %t: %v", made, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
