package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	bolt "go.etcd.io/bbolt"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// commitFunc commits durably, as one of so many writers, or returns an error where the
// version is another one.
type commitFunc func(ctx context.Context, c *store.Commit, writers int) error

// toggleCommit returns a commit of the size that a toggle has.
func toggleCommit(integration string, expect uint64) *store.Commit {
	return &store.Commit{
		Entry: store.Entry{
			ID: store.NewEntryID(time.Now()), Integration: integration, At: lifecycle.At(time.Now()),
			Evidence: make([]byte, 250), Decision: make([]byte, 200),
		},
		Body: make([]byte, 450), Expect: expect, Record: make([]byte, 700),
	}
}

// writers returns a way: so many writers commit a few times each, to integrations of
// their own, and every version is counted on.
func writers(name string, n, each int, commit commitFunc) way {
	turn := 0
	return way{name: name, batch: func() error {
		turn++
		errs := make([]error, n)
		var wg sync.WaitGroup
		for w := range n {
			wg.Go(func() {
				for v := range each {
					if errs[w] = commit(context.Background(), toggleCommit(fmt.Sprintf("%d-%d-%d", n, w, turn), uint64(v)), n); errs[w] != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	}}
}

// commits races durable commits to files below dir: with one writer, and with 16.
func commits(d time.Duration, dir string) ([]table, error) {
	plain, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "plain.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	plain.SetMaxOpenConns(1) // writers that wait for each other in SQLite are much slower
	for _, q := range []string{
		`CREATE TABLE record (id TEXT PRIMARY KEY, version INTEGER NOT NULL, record BLOB NOT NULL)`,
		`CREATE TABLE entry (position INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB UNIQUE, integration TEXT, version INTEGER, evidence BLOB, decision BLOB, body BLOB)`,
		`CREATE INDEX by_integration ON entry (integration)`,
	} {
		if _, err := plain.Exec(q); err != nil {
			return nil, err
		}
	}
	b, err := bolt.Open(filepath.Join(dir, "bolt.db"), 0o600, nil)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if err := b.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("record"))
		_, err2 := tx.CreateBucket([]byte("entry"))
		return errors.Join(err, err2)
	}); err != nil {
		return nil, err
	}
	s, err := sqlitestore.Open(context.Background(), filepath.Join(dir, "keyrack.db"), nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return both(d, "Durable commits to a file", "Write-ahead log with FULL, or bbolt's own sync: all survive a power cut. One writer alone uses bbolt's Update, since Batch waits for others.",
		[]string{"plain SQLite", "bbolt", "keyrack on SQLite"},
		[]commitFunc{
			func(ctx context.Context, c *store.Commit, _ int) error { return plainCommit(ctx, plain, c) },
			func(_ context.Context, c *store.Commit, writers int) error {
				if writers == 1 {
					return b.Update(func(tx *bolt.Tx) error { return boltCommit(tx, c) })
				}
				return b.Batch(func(tx *bolt.Tx) error { return boltCommit(tx, c) })
			},
			func(ctx context.Context, c *store.Commit, _ int) error { return committed(s.Commit(ctx, *c)) },
		})
}

func both(d time.Duration, title, note string, names []string, ways []commitFunc) (tables []table, err error) {
	const each = 4
	for _, n := range []int{1, 16} {
		var all []way
		for i, commit := range ways {
			all = append(all, writers(names[i], n, each, commit))
		}
		rows, err := race(d, n*each, all)
		if err != nil {
			return nil, err
		}
		tables = append(tables, table{fmt.Sprintf("%s, writers: %d", title, n), note, rows})
	}
	return tables, nil
}

func committed(_ store.Committed, err error) error { return err }

func plainCommit(ctx context.Context, db *sql.DB, c *store.Commit) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	result, err := tx.Exec(`INSERT INTO record VALUES (?, 1, ?) ON CONFLICT DO UPDATE SET version = version + 1, record = excluded.record WHERE version = ?`,
		c.Entry.Integration, c.Record, int64(c.Expect))
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(store.ErrConflict, err)
	}
	if _, err := tx.Exec(`INSERT INTO entry (id, integration, version, evidence, decision, body) VALUES (?, ?, ?, ?, ?, ?)`,
		c.Entry.ID[:], c.Entry.Integration, int64(c.Expect+1), c.Entry.Evidence, c.Entry.Decision, c.Body); err != nil {
		return err
	}
	return tx.Commit()
}

func boltCommit(tx *bolt.Tx, c *store.Commit) error {
	records, entries := tx.Bucket([]byte("record")), tx.Bucket([]byte("entry"))
	old, version := records.Get([]byte(c.Entry.Integration)), uint64(0)
	if old != nil {
		version = binary.BigEndian.Uint64(old)
	}
	if version != c.Expect {
		return store.ErrConflict
	}
	if err := records.Put([]byte(c.Entry.Integration), append(binary.BigEndian.AppendUint64(nil, version+1), c.Record...)); err != nil {
		return err
	}
	position, err := entries.NextSequence()
	if err != nil {
		return err
	}
	value := append(c.Entry.ID[:], c.Entry.Integration...)
	value = append(append(append(value, c.Entry.Evidence...), c.Entry.Decision...), c.Body...)
	return entries.Put(binary.BigEndian.AppendUint64(nil, position), value)
}

// postgresURL names the variable with the database that commits are measured on.
const postgresURL = "KEYRACK_BENCH_POSTGRES"

// postgres is commits for PostgreSQL. It returns no table, and says so, without a server.
func postgres(d time.Duration) ([]table, error) {
	url := os.Getenv(postgresURL)
	if url == "" {
		return nil, nil
	}
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, errors.New(postgresURL + " is no URL of a database")
	}
	defer pool.Close()
	const drop = `DROP SCHEMA IF EXISTS keyrack_bench_plain CASCADE; DROP SCHEMA IF EXISTS keyrack_bench CASCADE`
	for _, q := range []string{
		drop,
		`CREATE SCHEMA keyrack_bench_plain`,
		`CREATE TABLE keyrack_bench_plain.record (id text PRIMARY KEY, version bigint NOT NULL, record bytea NOT NULL)`,
		`CREATE TABLE keyrack_bench_plain.entry (position bigserial PRIMARY KEY, id bytea UNIQUE, integration text, version bigint, evidence bytea, decision bytea, body bytea)`,
		`CREATE INDEX ON keyrack_bench_plain.entry (integration, version)`,
	} {
		if _, err := pool.Exec(ctx, q, pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, err
		}
	}
	defer func() { _, _ = pool.Exec(context.Background(), drop, pgx.QueryExecModeSimpleProtocol) }()
	s, err := pgstore.New(ctx, pool, &pgstore.Options{Schema: "keyrack_bench"})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return both(d, "Durable commits to PostgreSQL", "The same logic as three statements in a transaction, and as the store's one.", []string{"plain PostgreSQL", "keyrack on PostgreSQL"},
		[]commitFunc{
			func(ctx context.Context, c *store.Commit, _ int) error { return plainPostgres(ctx, pool, c) },
			func(ctx context.Context, c *store.Commit, _ int) error { return committed(s.Commit(ctx, *c)) },
		})
}

func plainPostgres(ctx context.Context, pool *pgxpool.Pool, c *store.Commit) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO keyrack_bench_plain.record AS r VALUES ($1, 1, $2)
ON CONFLICT (id) DO UPDATE SET version = r.version + 1, record = excluded.record WHERE r.version = $3`,
			c.Entry.Integration, c.Record, int64(c.Expect))
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return store.ErrConflict
		}
		_, err = tx.Exec(ctx, `INSERT INTO keyrack_bench_plain.entry (id, integration, version, evidence, decision, body) VALUES ($1, $2, $3, $4, $5, $6)`,
			c.Entry.ID[:], c.Entry.Integration, int64(c.Expect+1), c.Entry.Evidence, c.Entry.Decision, c.Body)
		return err
	})
}
