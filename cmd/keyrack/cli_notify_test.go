//go:build unix

package main

import (
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// supervising opens a supervisor's socket, and returns what comes, message by message.
func supervising(t *testing.T, name string) (next func() string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func() string {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(testkit.Patience))
		b := make([]byte, 1024)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

// TestSupervisor: systemd learns that we are ready, that we live, and that we stop.
func TestSupervisor(t *testing.T) {
	folder, err := os.MkdirTemp("", "keyrack") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	sockets := map[string]string{"a path": filepath.Join(folder, "notify")}
	if runtime.GOOS == "linux" {
		sockets["an abstract name"] = "@keyrack-test-" + rand.Text()
	}
	for name, socket := range sockets {
		t.Run(name, func(t *testing.T) {
			next := supervising(t, socket)
			p := serving(t, map[string]string{
				"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": strconv.Itoa(os.Getpid()),
			})
			if got := next(); got != "READY=1\nSTATUS=ready\nWATCHDOG=1\n" {
				t.Errorf("first %q", got)
			}
			if r := sidecartest.Call(t, p.api, "", "GET", "/readyz", "", ""); r.Body != "ready\n" {
				t.Errorf("told to be ready, and answers %q", r.Body)
			}
			if got := next(); got != "STATUS=ready\nWATCHDOG=1\n" {
				t.Errorf("then %q", got)
			}
			p.signal()
			for got := next(); got != "STOPPING=1\nSTATUS=finishing running requests\n"; got = next() {
				if got != "STATUS=ready\nWATCHDOG=1\n" {
					t.Fatalf("meanwhile %q", got)
				}
			}
			if code := p.wait(t); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestSupervisorGone: one that cannot be told stops nothing.
func TestSupervisorGone(t *testing.T) {
	p := serving(t, map[string]string{"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "none")})
	p.waitFor(t, "cannot notify the supervisor")
	stop(t, p)
}

func TestSupervisorFrom(t *testing.T) {
	for _, test := range []struct {
		socket, usec, pid string
		want              time.Duration
		fails             bool
	}{
		{"/s", "", "", 0, false},
		{"/s", "30000000", "", 30 * time.Second, false},
		{"/s", "30000000", strconv.Itoa(os.Getpid()), 30 * time.Second, false},
		{"/s", "30000000", "1", 0, false},
		{"", "30000000", "", 0, false},
		{"/s", "0", "", 0, true},
		{"/s", "-1", "", 0, true},
		{"/s", "soon", "", 0, true},
	} {
		env := map[string]string{"NOTIFY_SOCKET": test.socket, "WATCHDOG_USEC": test.usec, "WATCHDOG_PID": test.pid}
		s, err := supervisorFrom(func(name string) string { return env[name] })
		if s.watchdog != test.want || s.socket != test.socket || (err != nil) != test.fails {
			t.Errorf("%v: %+v, %v", env, s, err)
		}
	}
}

// TestSign: the watchdog hears nothing of a process that is stuck, and goes on
// hearing of one whose store fails.
func TestSign(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	const limit = 30 * time.Second
	failing := errors.New("canary")
	for _, test := range []struct {
		name string
		f    keyrack.SyncStatus
		want string
	}{
		{"well", keyrack.SyncStatus{Looked: now, Synced: now}, "STATUS=ready\nWATCHDOG=1\n"},
		{"slow", keyrack.SyncStatus{Looked: now.Add(-limit + 1), Synced: now.Add(-limit + 1)}, "STATUS=ready\nWATCHDOG=1\n"},
		{"failing", keyrack.SyncStatus{Looked: now, Synced: now.Add(-time.Hour), Err: failing},
			"STATUS=degraded: the store cannot be read; answers are from memory as of 2026-01-01T11:00:00Z\nWATCHDOG=1\n"},
		{"stuck", keyrack.SyncStatus{Looked: now.Add(-limit), Synced: now.Add(-limit)}, "STATUS=stuck: the store was not read for 30s\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := supervisor{"/s", limit}.sign(test.f, now)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			sidecartest.Silent(t, "the sign", got)
			if without := (supervisor{socket: "/s"}).sign(test.f, now); strings.Contains(without, "WATCHDOG") {
				t.Errorf("without a watchdog: %q", without)
			}
		})
	}
}
