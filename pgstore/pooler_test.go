package pgstore_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/store"
	"github.com/keyrack-dev/keyrack/store/storetest"
)

// The whole suite through a pooler in transaction mode: statements of one store
// go over whichever of three connections is free.
func TestStoreThroughPooler(t *testing.T) {
	c := pgtest.Shared(t)
	url := c.URL(c.Pooler(t))
	storetest.Harness{
		Histories: cycles(10, 1000),
		Open: func(t *testing.T) store.Store {
			return open(t, url, &pgstore.Options{Schema: c.Schema(t), Pooler: true})
		},
		Join: func(t *testing.T, s store.Store) store.Store {
			how, _ := opened.Load(s)
			return open(t, url, how.(opening).opts)
		},
	}.Run(t)
}

// TestPoolerRecognised: nobody said that there is a pooler in transaction mode. The second
// instance opens all the same, nothing that either is asked fails, and each says once that it
// has found out.
func TestPoolerRecognised(t *testing.T) {
	c := pgtest.Shared(t)
	url, schema := c.URL(c.Pooler(t), "pool_max_conns=4"), c.Schema(t)
	var found [2]atomic.Int64
	var instances [2]*pgstore.Store
	for i := range instances {
		instances[i] = open(t, url, &pgstore.Options{Schema: schema, OnPooler: func() { found[i].Add(1) }})
	}
	var all sync.WaitGroup
	for i, s := range instances {
		for worker := range 4 {
			all.Go(func() {
				name := string(rune('a' + 4*i + worker))
				for version := range uint64(15) {
					if _, err := s.Commit(t.Context(), piece(name, version)); err != nil {
						t.Errorf("instance %d: %v", i, err)
					}
					for _, err := range s.History(t.Context(), name, store.EntryID{}) {
						if err != nil {
							t.Errorf("instance %d: %v", i, err)
						}
					}
				}
			})
		}
	}
	all.Wait()
	for i := range found {
		if n := found[i].Load(); n != 1 {
			t.Errorf("instance %d said %d times that it found a pooler", i, n)
		}
	}
}

// TestPoolerThatPrepares: a pooler that nothing shows but that LISTEN hears nothing, not even
// what this store itself sends. The mode of statements does not show it here.
func TestPoolerThatPrepares(t *testing.T) {
	c := pgtest.Shared(t)
	url, schema := c.URL(c.Pooler(t), "default_query_exec_mode=exec"), c.Schema(t)
	found := make(chan struct{})
	s := open(t, url, &pgstore.Options{Schema: schema, OnPooler: sync.OnceFunc(func() { close(found) })})
	s.HearWithin(50 * time.Millisecond)
	s.News(t.Context())
	select {
	case <-found:
	case <-time.After(testkit.Patience):
		t.Error("a LISTEN that hears nothing goes on for ever")
	}
}

// TestNoPooler: where there is none, none is found.
func TestNoPooler(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: schema, Poll: time.Hour, OnPooler: func() { t.Error("there is no pooler") }})
	one := open(t, c.Socket(), &pgstore.Options{Schema: schema})
	news := s.News(t.Context())
	if !rings(news, testkit.Patience) {
		t.Fatal("nothing is said of what came before")
	}
	quiet(t, news)
	commitPiece(t, one, "a", 0)
	if !rings(news, testkit.Patience) {
		t.Error("another instance's commit is no news")
	}
}

// TestPoolerUnderPool: the application's own pool is not ours to change, so the error says
// what is to be done.
func TestPoolerUnderPool(t *testing.T) {
	c := pgtest.Shared(t)
	url, schema := c.URL(c.Pooler(t)), c.Schema(t)
	for range 2 { // the second finds what the first prepared
		pool, err := pgxpool.New(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		s, err := pgstore.New(t.Context(), pool, &pgstore.Options{Schema: schema})
		if errors.Is(err, pgstore.ErrPooler) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
	}
	t.Error("a pool that prepares statements in a pooler opens twice")
}

// Every way in which pgx can send a statement does for the store.
func TestModes(t *testing.T) {
	c := pgtest.Shared(t)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe,
		pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			config, err := pgxpool.ParseConfig(c.Socket())
			if err != nil {
				t.Fatal(err)
			}
			config.ConnConfig.DefaultQueryExecMode = mode
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			s, err := pgstore.New(t.Context(), pool, &pgstore.Options{Schema: c.Schema(t)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			exercise(t, s)
		})
	}
}

// exercise calls every method with something to do.
func exercise(t *testing.T, s *pgstore.Store) {
	t.Helper()
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var last store.Commit
	for version := range uint64(8) {
		last = piece("a", version)
		last.Claim = []store.Claim{{Digest: digestOf(last.Entry.ID), Sealed: []byte("token")}, {Digest: lifecycle.Digest{1}}}
		switch version {
		case 2:
			last.Claim, last.Disown = nil, []lifecycle.Digest{{1}}
		case 4:
			last.Disown = []lifecycle.Digest{{2}}
		case 5:
			last.EraseBodies = true
		case 6:
			last.Forget = true
		}
		_, err := s.Commit(ctx, last)
		ok(err)
	}
	nameless := store.Commit{Entry: store.Entry{ID: store.NewEntryID(time.Now())}, Body: []byte("body")}
	for range 2 {
		_, err := s.Commit(ctx, nameless)
		ok(err)
		_, err = s.Commit(ctx, last)
		ok(err)
	}
	ok(s.Annotate(ctx, store.Annotation{ID: last.Entry.ID, Response: store.Response{Status: 204}}))
	ok(s.Reseal(ctx, store.Ref{Name: "name"}, nil, []byte("value")))
	ok(s.Shred(ctx, store.Ref{Name: "name"}, store.Ref{Entry: nameless.Entry.ID}, store.Ref{Integration: "a", Digest: lifecycle.Digest{1}}))
	ok(s.Trim(ctx, "a", 7, []byte("base")))
	first, end, err := s.Bounds(ctx)
	ok(err)
	var seen []store.Entry
	for e, err := range s.Journal(ctx, first) {
		ok(err)
		seen = append(seen, e)
	}
	if len(seen) != 2 || seen[0].ID != last.Entry.ID || seen[0].Response.Status != 204 || seen[1].Position != end {
		t.Errorf("the journal has %d entries after %d, up to %d", len(seen), first, end)
	}
	stored, err := s.Load(ctx, "a")
	ok(err)
	if stored.Version != 8 || stored.BaseVersion != 7 || string(stored.Base) == "base" {
		t.Errorf("version %d, base version %d", stored.Version, stored.BaseVersion)
	}
	_, err = s.Owner(ctx, lifecycle.Digest{1})
	ok(err)
	l, err := s.Acquire(ctx, "name", "holder", time.Minute)
	ok(err)
	ok(s.Advance(ctx, l, end))
	ok(s.Release(ctx, l))
}
