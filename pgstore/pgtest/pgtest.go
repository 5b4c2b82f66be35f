//go:build unix

// Package pgtest gives a test a PostgreSQL of its own. It makes a cluster from the
// installed programs, in a temporary folder, as an unprivileged user, listening on
// loopback and on a socket in that folder. The cluster and its files go away with the
// test process, however that ends. The package is for Unix, and only for tests.
//
//	cluster := pgtest.Shared(t)
//	s, err := pgstore.Open(t.Context(), cluster.Socket(), &pgstore.Options{Schema: cluster.Schema(t)})
//
// The programs initdb, pg_ctl and postgres are looked for on the path and where Debian
// installs them. If they are not installed, a test that asks for a cluster is skipped
// with a message; if the variable CI is true it fails.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Shared returns the cluster of this test process, which the first caller starts.
// It is fast rather than durable: fsync is off. Tests use schemas or databases of their
// own.
func Shared(tb testing.TB) *Cluster {
	tb.Helper()
	c, err := shared()
	return must(tb, c, err)
}

var shared = sync.OnceValues(func() (*Cluster, error) {
	// A standby that never comes, and commits that do not wait for it until Hold.
	return start([]string{"synchronous_standby_names = 'nobody'", "synchronous_commit = local"})
})

// Hold makes every commit on the shared cluster wait for a standby that never comes, until
// the function that it returns is called.
func (c *Cluster) Hold(tb testing.TB) (release func()) {
	tb.Helper()
	admin, witness := c.Connect(tb), c.Connect(tb)
	set := func(level string) {
		tb.Helper()
		// The simple protocol: ALTER SYSTEM runs in no transaction. This connection waits for nobody.
		statement := "set synchronous_commit = local; alter system set synchronous_commit = " + level
		for one := range strings.SplitSeq(statement+"; select pg_reload_conf()", ";") {
			if _, err := admin.Exec(context.Background(), one, pgx.QueryExecModeSimpleProtocol); err != nil {
				tb.Fatal(err)
			}
		}
		for seen := ""; seen != level; time.Sleep(5 * time.Millisecond) {
			if err := witness.QueryRow(context.Background(), "show synchronous_commit").Scan(&seen); err != nil {
				tb.Fatal(err)
			}
		}
		time.Sleep(20 * time.Millisecond) // others are told at the same time
	}
	set("on")
	return func() { set("local") }
}

// Start returns a cluster that ends with the test. Settings are lines of
// postgresql.conf, and override ours.
func Start(tb testing.TB, settings ...string) *Cluster {
	tb.Helper()
	c, err := start(settings)
	c = must(tb, c, err)
	tb.Cleanup(c.remove)
	return c
}

func must(tb testing.TB, c *Cluster, err error) *Cluster {
	tb.Helper()
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
		tb.Skip("SKIPPED, NOTHING IS TESTED ON POSTGRESQL: its initdb and postgres are not installed")
	}
	if err != nil {
		tb.Fatalf("PostgreSQL does not start: %v", err)
	}
	return c
}

// Socket returns the connection string, in keywords and values, of the database
// postgres over the server's socket. Settings such as "pool_max_conns=20" are added to
// it.
func (c *Cluster) Socket(settings ...string) string {
	return strings.Join(append([]string{
		"host=" + c.dir, "port=" + strconv.Itoa(c.port), "user=keyrack", "dbname=postgres", "sslmode=disable",
	}, settings...), " ")
}

// URL returns the URL of the same database over loopback, or over another address, such
// as a proxy's, if one is given.
func (c *Cluster) URL(address string, settings ...string) string {
	if address == "" {
		address = fmt.Sprintf("127.0.0.1:%d", c.port)
	}
	return "postgres://keyrack@" + address + "/postgres?" + strings.Join(append([]string{"sslmode=disable"}, settings...), "&")
}

// Folder is where the server's socket is.
func (c *Cluster) Folder() string { return c.dir }

// Port is where the server listens on loopback.
func (c *Cluster) Port() int { return c.port }

// Connect returns a connection as the superuser. It is closed at the end of the test.
func (c *Cluster) Connect(tb testing.TB) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), c.Socket())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

var made atomic.Int64

// Schema returns the name of an unused schema, which is dropped at the end of the test.
// The name has a space in it, so that code that forgets to quote it fails.
func (c *Cluster) Schema(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test %d", made.Add(1))
	tb.Cleanup(func() { c.execute(tb, "drop schema if exists "+pgx.Identifier{name}.Sanitize()+" cascade") })
	return name
}

// Database creates a database and returns its URL over loopback. The database is
// dropped at the end of the test, even if there are connections.
func (c *Cluster) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", made.Add(1))
	c.execute(tb, "create database "+name)
	tb.Cleanup(func() { c.execute(tb, "drop database "+name+" with (force)") })
	return fmt.Sprintf("postgres://keyrack@127.0.0.1:%d/%s?sslmode=disable", c.port, name)
}

func (c *Cluster) execute(tb testing.TB, statement string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.Socket())
	if err == nil {
		_, err = conn.Exec(ctx, statement)
		_ = conn.Close(ctx)
	}
	if err != nil {
		tb.Errorf("%s: %v", statement, err)
	}
}

// FreePort returns a port of loopback that is free at the moment.
func FreePort(tb testing.TB) int {
	tb.Helper()
	port, err := freePort()
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
