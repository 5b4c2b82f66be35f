package sqlitestore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
	"github.com/keyrack-dev/keyrack/store/storetest"
)

func TestStore(t *testing.T) {
	paths := map[store.Store]string{}
	open := func(t *testing.T, path string) store.Store {
		s, err := openPlanted(t.Context(), path, nil)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		t.Cleanup(func() { s.Close() })
		paths[s] = path
		return s
	}
	histories := 0 // the suite's own number
	if testing.Short() || testkit.Race {
		histories = 100
	}
	storetest.Harness{
		Histories: histories,
		Open:      func(t *testing.T) store.Store { return open(t, filepath.Join(fastDir(t), "keyrack.db")) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.(*sqlitestore.Store).Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			return open(t, paths[s])
		},
		Ahead: func(t *testing.T, s store.Store, by time.Duration) {
			execute(t, paths[s], fmt.Sprint("UPDATE lease SET until = until + ", by.Microseconds()))
		},
		Join: func(t *testing.T, s store.Store) store.Store { return open(t, paths[s]) },
		Dump: func(t *testing.T, s store.Store) []byte {
			if err := s.(*sqlitestore.Store).Checkpoint(t.Context()); err != nil {
				t.Fatalf("Checkpoint: %v", err)
			}
			return files(t, paths[s])
		},
	}.Run(t)
}

// openPlanted is Open, or what stands for it where a bug is planted.
func openPlanted(ctx context.Context, path string, opts *sqlitestore.Options) (*sqlitestore.Store, error) {
	bug := rewrite()
	if bug == nil {
		return sqlitestore.Open(ctx, path, opts)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return nil, err
	}
	return sqlitestore.NewRewritten(ctx, db, opts, bug)
}

// files returns what is on disk of a store. It closes what SQLite has open, whose
// locks are then gone: only for stores that nobody else uses.
func files(t *testing.T, path string) []byte {
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}
