package pgstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a PostgreSQL of the tests' own: in a folder of its own, listening on
// loopback and on a socket in that folder, gone when the tests are.
type cluster struct {
	bin, dir string
	port     int
	as       *syscall.Credential // nil: as who we are
	watcher  *exec.Cmd
	alive    io.Closer
}

// postgres is the cluster of most tests, started by the first that needs it.
var postgres struct {
	*cluster
	err error
}

const childVariable = "KEYRACK_PGSTORE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	postgres.cluster, postgres.err = startCluster()
	code := m.Run()
	if postgres.cluster != nil {
		postgres.remove()
	}
	os.Exit(code)
}

// server returns the tests' cluster. Where PostgreSQL is not installed the test is
// skipped, and fails under CI.
func server(tb testing.TB) *cluster {
	tb.Helper()
	if postgres.err == nil {
		return postgres.cluster
	}
	if errors.Is(postgres.err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
		tb.Skipf("SKIPPED, PGSTORE IS NOT TESTED: PostgreSQL's initdb and postgres are not installed")
	}
	tb.Fatalf("PostgreSQL does not start: %v", postgres.err)
	return nil
}

// startCluster makes a cluster and starts it, with settings that override ours.
func startCluster(settings ...string) (*cluster, error) {
	c := &cluster{}
	var err error
	if c.bin, err = binaries(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "keyrack-pg"); err != nil {
		return nil, err
	}
	if err = c.create(settings); err == nil {
		err = c.watch()
	}
	if err == nil {
		err = c.start()
	}
	if err != nil {
		c.remove()
		return nil, err
	}
	return c, nil
}

// binaries returns the folder of PostgreSQL's programs: on the path, or the newest
// of those where Debian puts them.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", exec.ErrNotFound
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// create makes the files of the cluster. PostgreSQL refuses to run as root.
func (c *cluster) create(more []string) error {
	if os.Getuid() == 0 {
		who, err := user.Lookup("postgres")
		if err != nil {
			if who, err = user.Lookup("nobody"); err != nil {
				return err
			}
		}
		uid, _ := strconv.ParseUint(who.Uid, 10, 32)
		gid, _ := strconv.ParseUint(who.Gid, 10, 32)
		c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.dir, int(uid), int(gid)); err != nil {
			return err
		}
	}
	if err := c.run("initdb", "-D", c.data(), "-U", "keyrack", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	c.port = port
	settings := fmt.Sprintf(`
listen_addresses = '127.0.0.1'
port = %d
unix_socket_directories = '%s'
max_connections = 200
shared_buffers = 128MB
log_min_messages = fatal
log_min_error_statement = fatal
fsync = off
%s
`, c.port, c.dir, strings.Join(more, "\n"))
	f, err := os.OpenFile(filepath.Join(c.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(settings)
	return errors.Join(err, f.Close())
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) start() error {
	return c.run("pg_ctl", "-D", c.data(), "-l", filepath.Join(c.dir, "log"), "-w", "-t", "60", "start")
}

// restart ends the server without mercy, as a crash would, and starts it again.
func (c *cluster) restart() error {
	return c.run("pg_ctl", "-D", c.data(), "-l", filepath.Join(c.dir, "log"), "-w", "-t", "60", "-m", "immediate", "restart")
}

// watch starts a shell that stops the server and removes its files as soon as this
// process is gone, however that came.
func (c *cluster) watch() error {
	c.watcher = exec.Command("/bin/sh", "-c", `cat >/dev/null
"$0" -D "$1/data" -w -m immediate stop >/dev/null 2>&1
rm -rf "$1"`, filepath.Join(c.bin, "pg_ctl"), c.dir)
	c.watcher.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Setpgid: true}
	var err error
	if c.alive, err = c.watcher.StdinPipe(); err != nil {
		return err
	}
	return c.watcher.Start()
}

func (c *cluster) remove() {
	if c.alive != nil {
		_ = c.alive.Close()
		_ = c.watcher.Wait()
	}
	_ = os.RemoveAll(c.dir)
}

func (c *cluster) run(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGUSER=", "PGHOST=")
	if c.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	}
	// A file: a pipe would stay open in the server that pg_ctl leaves behind.
	out, err := os.Create(filepath.Join(c.dir, "output-"+name))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(text))
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// url leads to the server over loopback; through an address other than its own if
// one is given.
func (c *cluster) url(address string, settings ...string) string {
	if address == "" {
		address = fmt.Sprintf("127.0.0.1:%d", c.port)
	}
	return "postgres://keyrack@" + address + "/postgres?" + strings.Join(append([]string{"sslmode=disable"}, settings...), "&")
}

// socket leads to the server over its socket.
func (c *cluster) socket(settings ...string) string {
	return strings.Join(append([]string{
		"host=" + c.dir, "port=" + strconv.Itoa(c.port), "user=keyrack", "dbname=postgres", "sslmode=disable",
	}, settings...), " ")
}

// admin returns a connection, closed at the end of the test.
func (c *cluster) admin(tb testing.TB) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), c.socket())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

var schemas atomic.Int64

// schema returns the name of a schema that is nobody's yet, dropped at the end of
// the test.
func (c *cluster) schema(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test %d", schemas.Add(1))
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, c.socket())
		if err == nil {
			_, err = conn.Exec(ctx, "drop schema if exists "+pgx.Identifier{name}.Sanitize()+" cascade")
			_ = conn.Close(ctx)
		}
		if err != nil {
			tb.Errorf("dropping the schema: %v", err)
		}
	})
	return name
}
