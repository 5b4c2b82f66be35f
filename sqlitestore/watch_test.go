package sqlitestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// TestFileIsGone: from the moment at which the file is removed or replaced nothing is
// acknowledged any more, reading says so within two seconds, and a Rack alarms.
func TestFileIsGone(t *testing.T) {
	move := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, path string)
		repair func(t *testing.T, path string) // nil: only a new process helps
	}{
		"removed": {func(t *testing.T, path string) { os.Remove(path) }, nil},
		"moved away": {
			func(t *testing.T, path string) { move(t, path, path+".away") },
			func(t *testing.T, path string) { move(t, path+".away", path) },
		},
		"a backup in its place": {func(t *testing.T, path string) { move(t, path+".backup", path) }, nil},
		"its log removed":       {func(t *testing.T, path string) { os.Remove(path + "-wal") }, nil},
		"its folder moved": {
			func(t *testing.T, path string) { move(t, filepath.Dir(path), filepath.Dir(path)+".away") },
			func(t *testing.T, path string) { move(t, filepath.Dir(path)+".away", filepath.Dir(path)) },
		},
		"emptied": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(fastDir(t), "folder")
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(folder, "keyrack.db")
			s := mustOpen(t, path, nil)
			alarms := make(chan keyrack.Alarm, 16)
			rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{
				Sealer: seal.Ephemeral(), Poll: 50 * time.Millisecond,
				Telemetry: &keyrack.Telemetry{Alarmed: func(_ context.Context, a keyrack.Alarm) { alarms <- a }},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer rack.Close()
			deliver := func() error {
				_, err := rack.Deliver(t.Context(), []byte(`{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"a"}}}`))
				return err
			}
			if err := deliver(); err != nil {
				t.Fatal(err)
			}
			if err := s.Backup(t.Context(), path+".backup"); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, path)
			if err := deliver(); !errors.Is(err, sqlitestore.ErrReplaced) || !errors.Is(err, store.ErrGone) {
				t.Errorf("the first delivery afterwards: %v", err)
			}
			select {
			case a := <-alarms:
				if a.Kind != keyrack.AlarmStore {
					t.Errorf("alarm %v", a)
				}
			case <-time.After(20 * time.Second):
				t.Error("no alarm")
			}
			if err := rack.SyncStatus().Err; !errors.Is(err, store.ErrGone) {
				t.Errorf("the journal is followed: %v", err)
			}
			for range 3 {
				if err := deliver(); !errors.Is(err, store.ErrGone) {
					t.Errorf("a later delivery: %v", err)
				}
			}
			if c.repair == nil {
				return
			}
			c.repair(t, path)
			if err := deliver(); err != nil {
				t.Errorf("after it was put back: %v", err)
			}
		})
	}
}
