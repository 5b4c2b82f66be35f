package storage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/store"
)

// incarnationAt returns which store is at a path.
func incarnationAt(t *testing.T, path string) (name string) {
	t.Helper()
	err := URL{Kind: SQLite, at: path}.With(t.Context(), func(s store.Store) (err error) {
		name, err = s.Incarnation(t.Context())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestAcceptCutOff: what an attempt left behind that was cut off does no harm, and one that
// fails leaves the store as it was.
func TestAcceptCutOff(t *testing.T) {
	folder := t.TempDir()
	path, backup := filepath.Join(folder, "k.db"), filepath.Join(folder, "backup.db")
	u := URL{Kind: SQLite, at: path}
	was, comes := incarnationAt(t, path), incarnationAt(t, backup)
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.WriteFile(path+".accepting"+end, []byte("half a copy"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	errMadeUp := errors.New("made-up failure")
	if _, err := u.Accept(t.Context(), backup, func(URL) error { return errMadeUp }); !errors.Is(err, errMadeUp) {
		t.Errorf("Accept: %v", err)
	}
	if now := incarnationAt(t, path); now != was {
		t.Error("an attempt that failed changed the store")
	}
	kept, err := u.Accept(t.Context(), backup, func(draft URL) error {
		if incarnationAt(t, path) != was || incarnationAt(t, draft.at) != comes {
			t.Error("the store is not what it was, or the copy not that of the backup")
		}
		return nil
	})
	if err != nil || incarnationAt(t, path) != comes || incarnationAt(t, backup) != comes {
		t.Errorf("accepted: %v", err)
	}
	if kept == "" || incarnationAt(t, kept) != was {
		t.Errorf("what was there is not kept: %q", kept)
	}
	if left, _ := filepath.Glob(path + ".accepting*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	// It was cut off after the former store had got its other name: then there is none.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-wal", []byte("of another database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Accept(t.Context(), backup, func(URL) error { return nil }); err != nil || incarnationAt(t, path) != comes {
		t.Errorf("accepted where nothing is: %v", err)
	}
}

// TestAcceptRefuses: a file that is no backup, and a store that is in use.
func TestAcceptRefuses(t *testing.T) {
	folder := t.TempDir()
	path, backup := filepath.Join(folder, "k.db"), filepath.Join(folder, "backup.db")
	u := URL{Kind: SQLite, at: path}
	incarnationAt(t, backup)
	incarnationAt(t, path)
	if err := os.WriteFile(filepath.Join(folder, "text"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	never := func(URL) error { return errors.New("it was prepared") }
	for name, want := range map[string]string{"text": "the backup", "empty": "there is no backup at", "missing": "there is no backup at", "k.db": "is the store itself"} {
		if _, err := u.Accept(t.Context(), filepath.Join(folder, name), never); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := u.With(t.Context(), func(s store.Store) error {
		if err := s.Renew(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := u.Accept(t.Context(), backup, func(URL) error { return nil }); err == nil || !strings.Contains(err.Error(), "is in use") {
			t.Errorf("in use: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
