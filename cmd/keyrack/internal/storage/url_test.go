package storage

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/store"
)

// TestParse: what a URL is of, and what people see of it.
func TestParse(t *testing.T) {
	for text, want := range map[string]struct {
		kind Kind
		said string
	}{
		"memory":                            {Memory, "memory"},
		"sqlite:a:b.db":                     {SQLite, "sqlite:a:b.db"},
		"sqlite:/srv/k.db":                  {SQLite, "sqlite:/srv/k.db"},
		"sqlite:///srv/k.db":                {SQLite, "sqlite:/srv/k.db"},
		"sqlite:a b%20#c.db":                {SQLite, "sqlite:a b%20#c.db"},
		`sqlite:C:\data\k.db`:               {SQLite, `sqlite:C:\data\k.db`},
		"postgres://canary:canary@db/x":     {Postgres, "postgres"},
		"postgresql://canary@db/x?canary=1": {Postgres, "postgres"},
		"postgres://db:5432/x?user=a@b":     {Postgres, "postgres"},
		"postgres://u:p%40%2F@a:1,b:2/x":    {Postgres, "postgres"},
		"postgres://u@[::1]:5432/x":         {Postgres, "postgres"},
		"postgres:///x?host=/run/pg":        {Postgres, "postgres"},
	} {
		u, err := Parse(text)
		if err != nil || u.Kind != want.kind || u.String() != want.said {
			t.Errorf("%s: %v, %v, %v", text, u.Kind, u, err)
		}
	}
}

// TestParseRefuses: what is refused is a usage error, which says how it was understood and
// quotes no secret.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"": "must be sqlite:PATH", "sqlite": "must be", "canary": "must be", "mysql://canary@db": "must be",
		"sqlite:":                          "the path is missing",
		"sqlite::memory:":                  "--store memory",
		"memory:":                          "--store memory",
		"SQLite:k.db":                      "small letters",
		"k.db":                             "write sqlite: in front of it",
		"/srv/keyrack":                     "write sqlite: in front of it",
		"sqlite:k.db?_busy_timeout=canary": "the file k.db with options",
		"sqlite://k.db":                    "the host k.db with the file /: write sqlite:k.db for a file in the working directory",
		"sqlite://srv/k.db":                "write sqlite:srv/k.db for a file in the working directory, or sqlite:/srv/k.db",
		"sqlite:/srv/":                     "such as sqlite:/srv/keyrack.db",
		"sqlite:file:k.db":                 "without file:",
		"postgres:canary":                  "two slashes",
		"host=db password=canary":          "keywords and values",
		"postgres://u:canary#1@db/x":       "percent-encoded",
		"postgres://u:can/ary@db/x":        "percent-encoded",
		"postgres://u:12/canary@db/x":      "percent-encoded",
		"postgres://u:can?ary@db/x":        "",
		"postgres://u:can%ary@db/x":        "percent-encoded",
		"postgres://u:can ary@db/x":        "percent-encoded",
		"postgres://u:canary[1@db/x":       "PGPASSWORD",
	} {
		_, err := Parse(text)
		if wrong := new(usage.Error); !errors.As(err, wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		sidecartest.Silent(t, "the error", err.Error())
	}
}

func TestHasPassword(t *testing.T) {
	for text, want := range map[string]bool{
		"postgres://u:canary@db/x": true, "postgresql://db/x?password=canary": true, "postgres://u:can/ary@db/x": true,
		"postgres://u@db:5432/x": false, "postgres://db:5432/x": false, "sqlite:a:b@c.db": false, "memory": false,
	} {
		if HasPassword(text) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}

// TestAtRest: a store at rest is on this machine's disk or in a database already.
func TestAtRest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keyrack.db")
	if _, err := ParseKept("memory"); !errors.As(err, new(usage.Error)) {
		t.Errorf("memory: %v", err)
	}
	u, err := ParseKept("sqlite:" + file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := AtRest("sqlite:" + file); err == nil || errors.As(err, new(usage.Error)) {
		t.Errorf("no file: %v", err)
	}
	if err := u.With(t.Context(), func(store.Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := AtRest("sqlite:" + file); err != nil {
		t.Errorf("a file: %v", err)
	}
}

// TestPaths: a path that leads to something other than a store is refused in words of its
// own, however it is opened, and nothing is made beside it.
func TestPaths(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]os.FileMode{"file": 0o600, "empty.db": 0o600, "loose.db": 0o666} {
		text := map[string]string{"file": "text", "loose.db": "text"}[name]
		if err := os.WriteFile(at(name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("gone.db", at("link.db")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                      "is a folder; name a file in it",
		at("no/such/k.db"):       "make it: mkdir -p -m 700 " + at("no/such"),
		at("file/k.db"):          "",
		at("link.db"):            "is a symbolic link to gone.db, which is not there",
		at("loose.db"):           "others can write it; run: chmod go-w",
		at("empty.db") + "/k.db": "",
	} {
		if want == "" {
			want = "not a directory"
		}
		if runtime.GOOS == "windows" && path == at("loose.db") {
			continue
		}
		u := URL{Kind: SQLite, at: path}
		_, opening := u.Open(t.Context())
		_, loading := KeySource{}.Load(u, true)
		_, resting := AtRest(u.String())
		for _, err := range []error{opening, loading, resting} {
			if err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "cannot be in it") {
				t.Errorf("%s: %v", path, err)
			}
		}
		if _, err := os.Lstat(path + ".key"); err == nil {
			t.Errorf("a key was made for %s", path)
		}
	}
	// An empty file holds no store: a new one can be made in it, but not read from it.
	empty := "sqlite:" + at("empty.db")
	if _, err := AtRest(empty); err == nil || !strings.Contains(err.Error(), "is an empty file") {
		t.Error(err)
	}
	u, err := Parse(empty)
	if err != nil {
		t.Fatal(err)
	}
	if ring, err := (KeySource{}).Load(u, true); err != nil || !ring.Made {
		t.Errorf("no key for an empty file: %v", err)
	}
	if err := u.With(t.Context(), func(store.Store) error { return nil }); err != nil {
		t.Error(err)
	}
}
