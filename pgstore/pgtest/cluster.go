//go:build unix

package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Cluster is a running PostgreSQL server. Its superuser keyrack needs no password. It
// is safe for concurrent use.
type Cluster struct {
	bin, dir string
	port     int
	as       *syscall.Credential // nil: our own
	watcher  *exec.Cmd
	alive    io.Closer
}

func start(settings []string) (*Cluster, error) {
	c := &Cluster{}
	var err error
	if c.bin, err = programs(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "keyrack-pg"); err != nil {
		return nil, err
	}
	if err = c.create(settings); err == nil {
		err = c.watch()
	}
	if err == nil {
		err = c.control("start")
	}
	if err != nil {
		c.remove()
		return nil, err
	}
	return c, nil
}

// programs returns the folder of PostgreSQL's programs: on the path, or the newest one
// where Debian installs them.
func programs() (string, error) {
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
func (c *Cluster) create(more []string) error {
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

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) control(verb ...string) error {
	return c.run("pg_ctl", append([]string{"-D", c.data(), "-l", filepath.Join(c.dir, "log"), "-w", "-t", "60"}, verb...)...)
}

// Restart kills the server, as a crash would, and starts it again. It recovers from its
// log.
func (c *Cluster) Restart() error { return c.control("-m", "immediate", "restart") }

// Command returns a command that will run as the user that the server runs as.
func (c *Cluster) Command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	if c.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	}
	return cmd
}

// watch starts a shell that stops the server and removes its files as soon as this
// process is gone, for whatever reason.
func (c *Cluster) watch() error {
	c.watcher = exec.Command("/bin/sh", "-c", `cat >/dev/null
"$0" -D "$1/data" -w -m immediate stop >/dev/null 2>&1
rm -rf "$1"`, filepath.Join(c.bin, "pg_ctl"), c.dir)
	// A group of its own, so that signals of the terminal do not reach it.
	c.watcher.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Setpgid: true}
	var err error
	if c.alive, err = c.watcher.StdinPipe(); err != nil {
		return err
	}
	return c.watcher.Start()
}

func (c *Cluster) remove() {
	if c.alive != nil {
		_ = c.alive.Close()
		_ = c.watcher.Wait()
	}
	_ = os.RemoveAll(c.dir)
}

func (c *Cluster) run(name string, args ...string) error {
	cmd := c.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGUSER=", "PGHOST=")
	// A file, because a pipe would stay open in the server that pg_ctl leaves behind.
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
