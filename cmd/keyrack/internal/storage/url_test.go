package storage

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/store"
)

// TestParse: what a URL is of, what people see of it, and what is refused.
func TestParse(t *testing.T) {
	for text, want := range map[string]struct {
		kind Kind
		said string
	}{
		"memory":                            {Memory, "memory"},
		"sqlite:a:b.db":                     {SQLite, "sqlite:a:b.db"},
		"postgres://canary:canary@db/x":     {Postgres, "postgres"},
		"postgresql://canary@db/x?canary=1": {Postgres, "postgres"},
	} {
		u, err := Parse(text)
		if err != nil || u.Kind != want.kind || u.String() != want.said {
			t.Errorf("%s: %v, %v, %v", text, u.Kind, u, err)
		}
	}
	for _, text := range []string{"", "sqlite", "sqlite:", "mysql://canary@db", "canary", "Memory"} {
		_, err := Parse(text)
		if wrong := new(usage.Error); !errors.As(err, wrong) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		testkit.Silent(t, "the error", err.Error())
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
