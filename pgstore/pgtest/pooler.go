//go:build unix

package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Pooler starts a PgBouncer in transaction mode before the server, with three connections for
// each database, and returns its host and port. It ends with the test. If it is not installed
// the test is skipped; if the variable CI is true it is installed first, as root.
func (c *Cluster) Pooler(tb testing.TB) (address string) {
	tb.Helper()
	path := pgbouncer(tb)
	port := FreePort(tb)
	address = fmt.Sprintf("127.0.0.1:%d", port)
	dir := tb.TempDir()
	config := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d user=keyrack
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
`, c.Port(), port)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { // others read it
			tb.Fatal(err)
		}
	}
	cmd := c.Command(path, "-q", config)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return address
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			tb.Fatalf("PgBouncer does not start: %s", &out)
		}
	}
}

// pgbouncer returns the path of the program.
func pgbouncer(tb testing.TB) string {
	tb.Helper()
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		return path
	}
	const path = "/usr/sbin/pgbouncer"
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") != "true" {
		tb.Skip("SKIPPED, NO POOLER IS TESTED: PgBouncer is not installed")
	}
	for _, command := range []string{"apt-get update -q", "apt-get install -qy --no-install-recommends pgbouncer"} {
		cmd := exec.Command("/bin/sh", "-c", command)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			tb.Fatalf("PgBouncer is not installed, and %s: %v\n%s", command, err, out)
		}
	}
	return path
}
