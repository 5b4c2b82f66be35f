package storage

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/pgstore"
)

// refusing listens like a PostgreSQL without TLS, and answers everybody who connects with a
// SQLSTATE.
func refusing(t *testing.T, code string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			refuse(conn, code)
		}
	}()
	return l.Addr().String()
}

func refuse(conn net.Conn, code string) {
	defer conn.Close()
	backend := pgproto3.NewBackend(conn, conn)
	for {
		message, err := backend.ReceiveStartupMessage()
		if err != nil {
			return
		}
		if _, ok := message.(*pgproto3.StartupMessage); ok {
			break
		}
		if _, err := conn.Write([]byte("N")); err != nil { // no TLS here
			return
		}
	}
	backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "canary"})
	_ = backend.Flush()
}

// TestDiagnose: every way in which a database does not open has a text of its own, which says
// what to do and quotes nothing.
func TestDiagnose(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	t.Setenv("HOME", t.TempDir()) // no .pgpass
	seen := map[string]string{}
	for _, test := range []struct{ what, url, want string }{
		{"nobody listens", "postgres://u:canary@" + nobody + "/x?sslmode=disable", "connection refused: nothing listens at port "},
		{"an unknown host", "postgres://u:canary@host.invalid/x?sslmode=disable", "the host in the URL has no address"},
		{"no TLS", "postgres://u:canary@" + refusing(t, "28P01") + "/x?sslmode=require", "it does not offer TLS"},
		{"a wrong password", "postgres://u:canary@" + refusing(t, "28P01") + "/x?sslmode=disable", "the password is wrong"},
		{"pg_hba.conf", "postgres://u:canary@" + refusing(t, "28000") + "/x?sslmode=disable", "pg_hba.conf"},
		{"no such database", "postgres://u:canary@" + refusing(t, "3D000") + "/x?sslmode=disable", "createdb"},
		{"an unknown parameter", "postgres://u:canary@" + refusing(t, "42704") + "/x?sslmode=disable&canary=1", "a parameter in the URL's query"},
		{"too many", "postgres://u:canary@" + refusing(t, "53300") + "/x?sslmode=disable", "max_connections"},
		{"a bad sslmode", "postgres://u:canary@localhost/x?sslmode=canary", "sslmode must be"},
		{"a bad timeout", "postgres://u:canary@localhost/x?connect_timeout=canary", "connect_timeout must be"},
		{"a file that is not there", "postgres://u:canary@localhost/x?sslmode=verify-full&sslrootcert=/canary", "the file of sslrootcert"},
		{"a socket that is not there", "postgres:///x?host=" + t.TempDir(), "there is no socket"},
	} {
		t.Run(test.what, func(t *testing.T) {
			u, err := Parse(test.url)
			if err != nil {
				t.Fatal(err)
			}
			_, err = u.Open(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v", err)
			}
			if !errors.Is(err, pgstore.ErrUnreachable) && !errors.Is(err, pgstore.ErrDenied) && !errors.Is(err, pgstore.ErrSettings) &&
				!errors.Is(err, pgstore.ErrOther) && !errors.Is(err, pgstore.ErrBusy) {
				t.Errorf("it unwraps to nothing: %v", err)
			}
			sidecartest.Silent(t, "the error", err.Error())
			if other, ok := seen[err.Error()]; ok {
				t.Errorf("the same text as %s", other)
			}
			seen[err.Error()] = test.what
		})
	}
}

// TestPasswordFiles: the files that pgx reads secrets from keep the same rule.
func TestPasswordFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: modes mean nothing on Windows")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	for name, mode := range map[string]os.FileMode{".pgpass": 0o604, "fine": 0o600, "client.key": 0o606} {
		if err := os.WriteFile(filepath.Join(home, name), []byte("canary"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(home, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ query, passfile, want string }{
		{"", "", "the file of database passwords: " + home + "/.pgpass (mode 0604"},
		{"", home + "/fine", ""},
		{"?passfile=" + home + "/fine", "", ""},
		{"?passfile=" + home + "/client.key", home + "/fine", "others can write it"},
		{"?passfile=" + home + "/fine&sslkey=" + home + "/client.key", "", "the key of the client's certificate"},
	} {
		t.Setenv("PGPASSFILE", test.passfile)
		err := URL{Kind: Postgres, at: "postgres://127.0.0.1:1/x" + test.query}.checkSecrets()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %s: %v", test.query, test.passfile, err)
		}
	}
}
