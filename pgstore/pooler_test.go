package pgstore_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/store"
	"github.com/keyrack-dev/keyrack/store/storetest"
)

// bouncer starts a PgBouncer in transaction mode before the server, with fewer
// connections than the store, and returns its port. Where it is not installed
// the test is skipped; under CI it is installed first, as root.
func bouncer(t *testing.T, c *pgtest.Cluster) int {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer"
		_, err = os.Stat(path)
	}
	if err != nil && os.Getenv("CI") == "true" {
		for _, command := range []string{"apt-get update -q", "apt-get install -qy --no-install-recommends pgbouncer"} {
			cmd := exec.Command("/bin/sh", "-c", command)
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("PgBouncer is not installed, and %s: %v\n%s", command, err, out)
			}
		}
	} else if err != nil {
		t.Skip("SKIPPED, NO POOLER IS TESTED: PgBouncer is not installed")
	}
	port := pgtest.FreePort(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
postgres = host=127.0.0.1 port=%d user=keyrack dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
`, c.Port(), port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { // others read it
			t.Fatal(err)
		}
	}
	cmd := c.Command(path, "-q", config)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = conn.Close()
			return port
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("PgBouncer does not start: %s", &out)
		}
	}
}

// The whole suite through a pooler in transaction mode: statements of one store
// go over whichever of three connections is free.
func TestStoreThroughPooler(t *testing.T) {
	c := pgtest.Shared(t)
	url := c.URL(fmt.Sprintf("127.0.0.1:%d", bouncer(t, c)))
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
