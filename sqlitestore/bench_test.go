package sqlitestore_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// delivery returns a commit of the size that one delivery's has.
func delivery(integration string, expect uint64) store.Commit {
	c := testCommit(integration, expect, 450)
	c.Entry.Evidence = pad(c.Entry.Evidence, 250)
	c.Entry.Decision = pad(c.Entry.Decision, 200)
	c.Record = pad(c.Record, 700)
	if expect > 0 {
		c.Claim = nil // most deliveries bring no token
	}
	return c
}

func pad(b []byte, n int) []byte {
	for len(b) < n {
		b = append(b, ' ')
	}
	return b
}

func BenchmarkCommit(b *testing.B) {
	s, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "keyrack.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := 0
	for b.Loop() {
		if r, err := s.Commit(b.Context(), delivery(fmt.Sprint("integration-", n%1000), uint64(n/1000))); err != nil || r.Version != uint64(n/1000+1) {
			b.Fatal(err)
		}
		n++
	}
}

func BenchmarkCommit16(b *testing.B) {
	s, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "keyrack.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var worker atomic.Int64
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		w, n := worker.Add(1), 0
		for pb.Next() {
			if _, err := s.Commit(context.Background(), delivery(fmt.Sprint(w, "-", n%100), uint64(n/100))); err != nil {
				b.Error(err)
				return
			}
			n++
		}
	})
}

func BenchmarkFloor(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	if _, err := f.Write(make([]byte, 1<<20)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	n := int64(0)
	for b.Loop() {
		if _, err := f.WriteAt(page, n%256*4096); err != nil {
			b.Fatal(err)
		}
		if err := datasync(f); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkPlain is what an application would write itself: one transaction each,
// of the same bytes, with the same durability.
func BenchmarkPlain(b *testing.B) {
	db := plain(b)
	n := 0
	for b.Loop() {
		if err := plainCommit(db, delivery(fmt.Sprint("integration-", n%1000), uint64(n/1000))); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

func plain(b testing.TB) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "plain.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	plainSchema(b, db)
	return db
}

func plainSchema(b testing.TB, db *sql.DB) {
	db.SetMaxOpenConns(1) // writers that wait for each other in SQLite are much slower
	for _, q := range []string{
		`CREATE TABLE record (id TEXT PRIMARY KEY, version INTEGER NOT NULL, record TEXT NOT NULL)`,
		`CREATE TABLE entry (position INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB UNIQUE, integration TEXT, version INTEGER, evidence TEXT, decision TEXT, body BLOB)`,
		`CREATE INDEX by_integration ON entry (integration)`,
	} {
		if _, err := db.Exec(q); err != nil {
			b.Fatal(err)
		}
	}
}

func plainCommit(db *sql.DB, c store.Commit) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	result, err := tx.Exec(`INSERT INTO record VALUES (?, 1, ?) ON CONFLICT DO UPDATE SET version = version + 1, record = excluded.record WHERE version = ?`,
		c.Entry.Integration, string(c.Record), int64(c.Expect))
	if err != nil {
		return err
	}
	if n, _ := result.RowsAffected(); n != 1 {
		return store.ErrConflict
	}
	if _, err := tx.Exec(`INSERT INTO entry (id, integration, version, evidence, decision, body) VALUES (?, ?, ?, ?, ?, ?)`,
		c.Entry.ID[:], c.Entry.Integration, int64(c.Expect+1), string(c.Entry.Evidence), string(c.Entry.Decision), c.Body); err != nil {
		return err
	}
	return tx.Commit()
}

// A page of a hundred from anywhere in the history of one integration: the same of a long
// one.
func BenchmarkHistoryPage(b *testing.B) {
	for _, size := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "keyrack.db")
			s, err := sqlitestore.Open(b.Context(), path, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(1000)")
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			for _, statement := range []string{
				`INSERT INTO integration (number, id, version, newest, record) VALUES (1, 'a', ?1, ?1, printf('%.700c', 'x'))`,
				`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
				INSERT INTO entry (position, id, integration, version, previous, at, evidence, decision, status, took)
				SELECT n, unhex(printf('%032x', n)), 1, n, n - 1, n, printf('%.250c', 'x'), printf('%.200c', 'x'), 0, 0 FROM n`,
			} {
				if _, err := db.ExecContext(b.Context(), statement, size); err != nil {
					b.Fatal(err)
				}
			}
			turn := 0
			for b.Loop() {
				turn++
				from := turn * 7919 % (size - 100)
				var after store.EntryID
				binary.BigEndian.PutUint64(after[8:], uint64(from))
				n := 0
				for e, err := range s.History(b.Context(), "a", after) {
					if n++; err != nil || e.Version != uint64(from+n) {
						b.Fatal(e.Version, err)
					}
					if n == 100 {
						break
					}
				}
				if n != 100 {
					b.Fatal(n)
				}
			}
		})
	}
}
