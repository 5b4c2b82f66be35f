package main

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// TestDoctorOnSQLite damages a file in each of the four things that doctor looks
// at, schema, integrity, keys and the fold, and expects it to say which.
func TestDoctorOnSQLite(t *testing.T) {
	folder := t.TempDir()
	p := inFolder(t, folder, nil)
	deliver(t, p, "created.json")
	deliver(t, p, "disabled.json")
	stop(t, p)
	sound, err := os.ReadFile(filepath.Join(folder, "hotels.db"))
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(folder, "hotels.db.key")
	for _, c := range []struct{ name, damage, says string }{
		{"a newer schema", "PRAGMA user_version = 1000", "newer version of Keyrack"},
		{"another program's schema", "PRAGMA application_id = 7", "not a Keyrack database"},
		{"an entry is gone", "DELETE FROM body; DELETE FROM entry WHERE position = 1", "FINDING  file: an integration lacks the entry of a version"},
		{"a page is damaged", "", "FINDING  file: "},
		{"a body was changed", "UPDATE body SET sealed = zeroblob(100) WHERE position = 2", "a body does not open"},
		{"a token was changed", "UPDATE token SET sealed = zeroblob(100)", "a token ("},
		{"a token belongs to nobody", "DELETE FROM token", "does not belong to it"},
		{"a record was changed", `UPDATE integration SET record = replace(record, '"State":"disabled"', '"State":"enabled"')`, "the record is not the fold of its journal"},
		{"evidence was changed", "UPDATE entry SET evidence = replace(evidence, 'IntegrationDisabled', 'IntegrationEnabled')", "the record is not the fold of its journal"},
		{"a decision was changed", "UPDATE entry SET decision = replace(decision, 'applied', 'stale')", "was decided otherwise"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "hotels.db")
			content := bytes.Clone(sound)
			if c.damage == "" {
				copy(content[4096*2:], bytes.Repeat([]byte{0xa5}, 4096))
			}
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", "file:"+file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(c.damage); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := once(t, nil, "doctor", "--store", "sqlite:"+file, "--sealing-key-file", key)
			sidecartest.Silent(t, "stdout", stdout)
			sidecartest.Silent(t, "stderr", stderr)
			if code != exitError || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("exit code %d, stdout:\n%s\nstderr:\n%s", code, stdout, stderr)
			}
		})
	}
}
