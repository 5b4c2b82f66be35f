package sqlitestore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/keyrack-dev/keyrack/sqlitestore"
)

// TestBackupOverwritesNothing: what somebody has put in the place of a backup meanwhile stays.
func TestBackupOverwritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backup")
	for name, text := range map[string]string{path + ".partial": "a backup", path: "precious"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := sqlitestore.Publish(path+".partial", path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a backup took a name that was taken: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("what was there is %q, %v", text, err)
	}
}

// TestBackup copies a store under load: each copy holds all that was acknowledged
// before it began, and nothing that is half there.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	s := mustOpen(t, filepath.Join(dir, "keyrack.db"), &sqlitestore.Options{CheckpointPages: 50})
	done, stop := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	known := acknowledged{}
	go func() {
		defer close(done)
		for version := uint64(0); ; version++ {
			select {
			case <-stop:
				return
			default:
			}
			for i := range 3 {
				integration := fmt.Sprint(i)
				if _, err := s.Commit(context.Background(), testCommit(integration, version, 500)); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				known[integration] = version + 1
				mu.Unlock()
			}
		}
	}()
	for i := range 5 {
		mu.Lock()
		before := acknowledged{}
		maps.Copy(before, known)
		mu.Unlock()
		path := filepath.Join(dir, fmt.Sprint("backup-", i))
		if i == 0 {
			// What a crash left behind is no obstacle.
			if err := os.WriteFile(path+".partial", []byte("half a backup"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Backup(ctx, path); err != nil {
			t.Fatalf("Backup: %v", err)
		}
		if err := s.Backup(ctx, path); !errors.Is(err, os.ErrExist) {
			t.Errorf("Backup over a backup: %v", err)
		}
		if _, err := os.Stat(path + ".partial"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the partial file is left: %v", err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("the mode of a backup: %v, %v", info.Mode(), err)
		}
		copied := mustOpen(t, path, nil)
		if err := before.kept(ctx, copied); err != nil {
			t.Error(err)
		}
		if err := wholeness(ctx, copied); err != nil {
			t.Error(err)
		}
		copied.Close()
	}
	close(stop)
	<-done
}

// TestCheck breaks what SQLite cannot know to be broken.
func TestCheck(t *testing.T) {
	for name, damage := range map[string]string{
		"an entry is gone":                "DELETE FROM body; DELETE FROM entry WHERE position = 2",
		"an entry belongs to another":     "UPDATE entry SET integration = 2 WHERE position = 1",
		"a record went back":              "UPDATE integration SET version = 1 WHERE number = 1",
		"a body belongs to nothing":       "INSERT INTO body VALUES (99, x'00')",
		"a token belongs to nobody":       "UPDATE token SET integration = 77",
		"an entry is there twice":         "INSERT INTO entry SELECT 90, x'00', integration, version, previous, at, evidence, decision, 0, 0 FROM entry WHERE position = 1",
		"the bounds are gone":             "DELETE FROM journal_bounds",
		"the bounds contradict":           "UPDATE journal_bounds SET trimmed = 5, removed = 4",
		"the base is newer than a record": "UPDATE integration SET base_version = 9 WHERE number = 2",
		"an index is gone":                "DROP INDEX token_by_integration",
		"a trigger is gone":               "DROP TRIGGER entry_removed",
		"a view is another":               "DROP VIEW journal; CREATE VIEW journal AS SELECT 1",
		"a link is broken":                "UPDATE entry SET previous = 0 WHERE version = 2",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(fastDir(t), "keyrack.db")
			s := mustOpen(t, path, nil)
			for i := range 6 {
				if _, err := s.Commit(t.Context(), testCommit(fmt.Sprint(i%2), uint64(i/2), 10)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Check(t.Context()); err != nil {
				t.Fatalf("Check of a sound store: %v", err)
			}
			execute(t, path, damage)
			err := s.Check(t.Context())
			var found *sqlitestore.CheckError
			if !errors.As(err, &found) || !errors.Is(err, sqlitestore.ErrCorrupt) || len(found.Problems) == 0 {
				t.Errorf("Check: %v", err)
			} else {
				t.Logf("%q", found.Problems)
			}
		})
	}
}
