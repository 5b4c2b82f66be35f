package pgstore_test

import (
	"errors"
	"io/fs"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
)

func TestMigrateByManyAtOnce(t *testing.T) {
	c := pgtest.Shared(t)
	for range cycles(3, 30) {
		opts := &pgstore.Options{Schema: c.Schema(t)}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s, err := pgstore.Open(t.Context(), c.Socket(), opts)
				if err != nil {
					t.Errorf("Open: %v", err)
					return
				}
				defer s.Close()
				if _, _, err := s.Bounds(t.Context()); err != nil {
					t.Errorf("Bounds: %v", err)
				}
			})
		}
		wg.Wait()
	}
}

func TestSchemaOfNewerVersion(t *testing.T) {
	c := pgtest.Shared(t)
	opts := &pgstore.Options{Schema: c.Schema(t)}
	commitPiece(t, open(t, c.Socket(), opts), "a", 0)
	admin := c.Connect(t)
	if _, err := admin.Exec(t.Context(), "update "+pgx.Identifier{opts.Schema, "schema_version"}.Sanitize()+" set version = 999, oldest = 999"); err != nil {
		t.Fatal(err)
	}
	for _, skip := range []bool{false, true} {
		_, err := pgstore.Open(t.Context(), c.Socket(), &pgstore.Options{Schema: opts.Schema, SkipMigrations: skip})
		if !errors.Is(err, pgstore.ErrNewer) {
			t.Errorf("an older binary opens a newer schema: %v", err)
		}
	}
	if err := pgstore.Migrate(t.Context(), admin, opts); !errors.Is(err, pgstore.ErrNewer) {
		t.Errorf("Migrate: %v", err)
	}
}

// TestOldBesideNew: while a newer version has only added to the schema, the one of before
// works on, starts anew, and finds nothing to migrate. Once something was taken away it is
// refused.
func TestOldBesideNew(t *testing.T) {
	c := pgtest.Shared(t)
	opts := &pgstore.Options{Schema: c.Schema(t)}
	running := open(t, c.Socket(), opts)
	commitPiece(t, running, "a", 0)
	admin := c.Connect(t)
	change := func(statement string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	table := func(name string) string { return pgx.Identifier{opts.Schema, name}.Sanitize() }

	// Expand: columns that may be null or have a default, an index, a table.
	for _, name := range []string{"integration", "entry", "bounds", "token", "body", "secret", "lease"} {
		change("alter table " + table(name) + " add column later text, add column counted bigint not null default 0")
		change("create index on " + table(name) + " (counted)")
	}
	change("create table " + table("later") + " (x text)")
	change("update " + table("schema_version") + " set version = version + 1")
	commitPiece(t, running, "a", 1)
	for id, skip := range map[string]bool{"b": false, "c": true} {
		anew, err := pgstore.Open(t.Context(), c.Socket(), &pgstore.Options{Schema: opts.Schema, SkipMigrations: skip})
		if err != nil {
			t.Fatalf("the version of before does not start, SkipMigrations %v: %v", skip, err)
		}
		commitPiece(t, anew, id, 0)
		if _, last, err := anew.Bounds(t.Context()); err != nil || last < 3 {
			t.Errorf("the journal ends at %d, %v", last, err)
		}
		if err := anew.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := pgstore.Migrate(t.Context(), admin, opts); err != nil {
		t.Errorf("Migrate: %v", err)
	}
	if has, newest, err := pgstore.Version(t.Context(), admin, opts); err != nil || has != newest+1 {
		t.Errorf("Version: %d, %d, %v", has, newest, err)
	}

	// Contract: what the version of before needs is taken away, and that version refused.
	change("update " + table("schema_version") + " set version = version + 1, oldest = version + 1")
	if _, err := pgstore.Open(t.Context(), c.Socket(), opts); !errors.Is(err, pgstore.ErrNewer) {
		t.Errorf("Open after something was taken away: %v", err)
	}
}

func TestSkipMigrations(t *testing.T) {
	c := pgtest.Shared(t)
	opts := &pgstore.Options{Schema: c.Schema(t), SkipMigrations: true}
	if _, err := pgstore.Open(t.Context(), c.Socket(), opts); !errors.Is(err, pgstore.ErrNotMigrated) {
		t.Errorf("Open without a schema: %v", err)
	}
	if err := pgstore.Migrate(t.Context(), c.Connect(t), opts); err != nil {
		t.Fatal(err)
	}
	commitPiece(t, open(t, c.Socket(), opts), "a", 0)
}

// The files are plain SQL, for the schema keyrack, and may be run again. Who uses
// the store then needs no right to create anything.
func TestMigrationsAsSQL(t *testing.T) {
	c := pgtest.Shared(t)
	conn := c.Connect(t)
	for _, statement := range []string{"drop role if exists app", "create role app login"} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	files, err := fs.Glob(pgstore.Migrations, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for range 2 {
		for _, file := range files {
			text, err := fs.ReadFile(pgstore.Migrations, file)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.PgConn().Exec(t.Context(), string(text)).Close(); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
	}
	for _, statement := range []string{
		"grant usage on schema keyrack to app",
		"grant select, insert, update, delete on all tables in schema keyrack to app",
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, c.Socket("user=app"), nil)
	commitPiece(t, s, "a", 0)
	if _, _, err := s.Bounds(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = pgstore.Open(t.Context(), c.Socket("user=app"), &pgstore.Options{Schema: "another"})
	if !errors.Is(err, pgstore.ErrDenied) {
		t.Errorf("Open where nothing may be created: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(t.Context(), "drop schema keyrack cascade; drop role app"); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	c := pgtest.Shared(t)
	for what, open := range map[string]struct {
		url  string
		want error
	}{
		"a server that may forget": {c.Socket("options='-c synchronous_commit=off'"), pgstore.ErrNotDurable},
		"a URL that is none":       {"postgres://user:secret@[", pgstore.ErrSettings},
		"a port where nobody is":   {"postgres://keyrack@127.0.0.1:1/postgres", pgstore.ErrUnreachable},
		"an unknown user":          {c.Socket("user=nobody_we_know"), pgstore.ErrDenied},
	} {
		_, err := pgstore.Open(t.Context(), open.url, &pgstore.Options{Schema: c.Schema(t)})
		if !errors.Is(err, open.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The application's pool stays its own.
func TestNewWithPool(t *testing.T) {
	c := pgtest.Shared(t)
	pool, err := pgxpool.New(t.Context(), c.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	s, err := pgstore.New(t.Context(), pool, &pgstore.Options{Schema: c.Schema(t)})
	if err != nil {
		t.Fatal(err)
	}
	commitPiece(t, s, "a", 0)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Load(t.Context(), "a"); !errors.Is(err, pgstore.ErrClosed) {
		t.Errorf("Load of a closed store: %v", err)
	}
	if err := pool.Ping(t.Context()); err != nil {
		t.Errorf("the pool was closed with the store: %v", err)
	}
}
