package pgstore_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/store"
	"github.com/keyrack-dev/keyrack/store/storetest"
)

// opened remembers how each store was opened, for those who open it once more.
var opened sync.Map

type opening struct {
	url  string
	opts *pgstore.Options
}

func open(tb testing.TB, url string, opts *pgstore.Options) *pgstore.Store {
	tb.Helper()
	s, err := pgstore.Open(tb.Context(), url, opts)
	if err != nil {
		tb.Fatal(err)
	}
	opened.Store(s, opening{url, opts})
	tb.Cleanup(func() { opened.Delete(s); _ = s.Close() })
	return s
}

// histories is how many are recorded: 0 for the suite's own number.
var histories int

func harness(settings ...string) storetest.Harness {
	join := func(t *testing.T, s store.Store) store.Store {
		how, _ := opened.Load(s)
		return open(t, how.(opening).url, how.(opening).opts)
	}
	return storetest.Harness{
		Histories: histories,
		Open: func(t *testing.T) store.Store {
			c := pgtest.Shared(t)
			return open(t, c.Socket(settings...), &pgstore.Options{Schema: c.Schema(t)})
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			again := join(t, s)
			if err := s.(*pgstore.Store).Close(); err != nil {
				t.Error(err)
			}
			return again
		},
		Join: join,
		Ahead: func(t *testing.T, s store.Store, by time.Duration) {
			how, _ := opened.Load(s)
			name := pgx.Identifier{how.(opening).opts.Schema, "lease"}.Sanitize()
			_, err := pgtest.Shared(t).Connect(t).Exec(t.Context(), "update "+name+" set until = until + $1::bigint * interval '1 microsecond'", by.Microseconds())
			if err != nil {
				t.Fatal(err)
			}
		},
		Hold: func(t *testing.T, _ store.Store) (release func()) { return pgtest.Shared(t).Hold(t) },
		Dump: func(t *testing.T, s store.Store) []byte {
			how, _ := opened.Load(s)
			return dump(t, how.(opening).opts.Schema)
		},
	}
}

func TestStore(t *testing.T) {
	h := harness()
	if testkit.Race {
		h.Histories = 100
	}
	h.Run(t)
}

var tables = []string{"integration", "entry", "bounds", "token", "body", "secret", "lease", "schema_version", "journal", "integrations"}

// dump returns all tables and views of a schema, as COPY writes them.
func dump(t *testing.T, schema string) []byte {
	t.Helper()
	conn := pgtest.Shared(t).Connect(t)
	var all bytes.Buffer
	for _, table := range tables {
		name := pgx.Identifier{schema, table}.Sanitize()
		if _, err := conn.PgConn().CopyTo(t.Context(), &all, "copy (select * from "+name+") to stdout"); err != nil {
			t.Fatal(err)
		}
	}
	return all.Bytes()
}
