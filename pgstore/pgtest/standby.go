//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Standby returns a standby of c that streams from it under a name. It ends with the test.
func (c *Cluster) Standby(tb testing.TB, name string) *Cluster {
	tb.Helper()
	s := &Cluster{bin: c.bin, as: c.as}
	err := s.follow(c, name)
	if err != nil {
		s.remove()
		tb.Fatalf("the standby does not start: %v", err)
	}
	tb.Cleanup(s.remove)
	return s
}

func (c *Cluster) follow(primary *Cluster, name string) (err error) {
	if c.dir, err = os.MkdirTemp("", "keyrack-pg"); err != nil {
		return err
	}
	if c.as != nil {
		if err = os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return err
		}
	}
	if c.port, err = freePort(); err != nil {
		return err
	}
	from := fmt.Sprintf("host=%s port=%d user=keyrack application_name=%s", primary.dir, primary.port, name)
	if err = c.run("pg_basebackup", "-D", c.data(), "-d", from, "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(c.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "\nport = %d\nunix_socket_directories = '%s'\n", c.port, c.dir)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = c.watch()
	}
	if err == nil {
		err = c.control("start")
	}
	return err
}

// Promote makes a standby a primary.
func (c *Cluster) Promote() error { return c.control("promote") }

// Kill ends the server as a crash would, for good.
func (c *Cluster) Kill() error { return c.control("-m", "immediate", "stop") }

// Either returns the connection string of whichever of two servers is the primary.
func (c *Cluster) Either(other *Cluster, settings ...string) string {
	return strings.Join(append([]string{
		fmt.Sprintf("host=%s,%s port=%d,%d", c.dir, other.dir, c.port, other.port),
		"user=keyrack dbname=postgres sslmode=disable target_session_attrs=read-write connect_timeout=2",
	}, settings...), " ")
}
