package sqlitestore_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// plant is a bug that the tests must find: something that is written otherwise in
// every statement in which it stands.
type plant struct {
	name     string
	old, new string
	caught   string    // by which test; "" stands for TestStore
	noSync   bool      // the disk syncs nothing
	also     [2]string // and what else, in other statements, is written how
}

var plants = []plant{
	// Commits.
	{name: "a commit is answered and undone", old: "COMMIT", new: "ROLLBACK"},
	{name: "the version is not compared", old: "WHERE number = ? AND version = ?", new: "WHERE number = ? AND ? > 0"},
	{name: "the record is not updated", old: "SET version = ?, record = ?", new: "SET version = ?, record = coalesce(record, ?)"},
	{name: "the entry is outside the transaction", old: "INSERT INTO entry", new: "COMMIT; BEGIN IMMEDIATE; INSERT INTO entry", caught: "TestPowerCut$"},
	{name: "the body is outside the transaction", old: "INSERT INTO body", new: "COMMIT; BEGIN IMMEDIATE; INSERT INTO body", caught: "TestPowerCut$"},
	{name: "the body is not kept", old: "INSERT INTO body (position, sealed) VALUES (?, ?)", new: "SELECT ?, ?"},
	{name: "a repetition is not recognized", old: "(SELECT position FROM entry WHERE id = ?)", new: "(SELECT position FROM entry WHERE id = ? AND 0)"},
	{name: "a repetition is a new entry", old: "(SELECT position FROM entry WHERE id = ?)", new: "(SELECT position FROM entry WHERE id = ? AND 0)", also: [2]string{"BLOB    NOT NULL UNIQUE,", "BLOB    NOT NULL,"}},
	// Digests.
	{name: "digests are not updated", old: "INSERT INTO token (digest, integration, sealed) VALUES (?, ?, ?)\n\t\tON CONFLICT DO UPDATE SET sealed = coalesce(excluded.sealed, sealed)", new: "SELECT ?, ?, ?"},
	{name: "the owner of a digest is not asked", old: "SELECT t.integration, i.id FROM token t JOIN integration i ON i.number = t.integration\n\t\tWHERE t.digest = ?", new: "SELECT t.integration, i.id FROM token t JOIN integration i ON i.number = t.integration\n\t\tWHERE t.digest = ? AND 0"},
	{name: "a claim takes a digest from its owner", old: "SET sealed = coalesce(excluded.sealed, sealed)", new: "SET sealed = excluded.sealed, integration = excluded.integration", also: [2]string{"t.integration, i.id FROM token", "0, i.id FROM token"}},
	{name: "a claim without a token erases the token", old: "coalesce(excluded.sealed, sealed)", new: "excluded.sealed"},
	{name: "disowned digests stay", old: "DELETE FROM token WHERE digest = ?", new: "DELETE FROM token WHERE 0 AND digest = ?"},
	{name: "others' digests are disowned", old: "WHERE digest = ? AND integration = ?", new: "WHERE digest = ? AND ? > 0"},
	// Erasing.
	{name: "Forget leaves entries", old: "DELETE FROM entry WHERE position IN (WITH RECURSIVE history (position) AS (VALUES (?)\n\t\tUNION ALL SELECT e.previous FROM history h JOIN entry e ON e.position = h.position)\n\t\tSELECT position FROM history)", new: "DELETE FROM entry WHERE position = ?"},
	{name: "Forget leaves tokens", old: "DELETE FROM token WHERE integration = ?", new: "DELETE FROM token WHERE integration = ? AND 0"},
	{name: "EraseBodies leaves bodies", old: "DELETE FROM body WHERE position IN (WITH RECURSIVE history (position) AS (VALUES (?)\n\t\tUNION ALL SELECT e.previous FROM history h JOIN entry e ON e.position = h.position)\n\t\tSELECT position FROM history)", new: "DELETE FROM body WHERE position = ?"},
	{name: "Shred takes the digest along", old: "UPDATE token SET sealed = NULL", new: "DELETE FROM token"},
	{name: "what is erased stays in the file", old: "secure_delete = ON", new: "secure_delete = OFF"},
	{name: "what is erased stays in the log", old: "wal_checkpoint(TRUNCATE)", new: "wal_checkpoint(PASSIVE)", caught: "TestErasedLeavesTheLog"},
	{name: "Reseal does not compare", old: " AND sealed = ?", new: " AND length(?) > 0"},
	{name: "Reseal replaces a name that is there", old: "INSERT INTO secret (name, sealed) VALUES (?, ?) ON CONFLICT DO NOTHING", new: "INSERT OR REPLACE INTO secret (name, sealed) VALUES (?, ?)"},
	// The journal.
	{name: "an entry is not linked to the one before", old: "UNION ALL SELECT e.previous FROM history", new: "UNION ALL SELECT e.previous - 1 FROM history"},
	{name: "positions are given twice", old: "SET removed = old.position", new: "SET removed = removed"},
	{name: "the journal repeats an entry at each page", old: "ON e.position > ?", new: "ON e.position >= ?"},
	{name: "the journal goes backwards", old: "ORDER BY e.position LIMIT", new: "ORDER BY e.position DESC LIMIT"},
	{name: "answers are not noted", old: "UPDATE entry SET status = ?", new: "UPDATE entry SET status = 0 * ?"},
	{name: "Trim says nothing", old: "SET trimmed = max(", new: "SET trimmed = min("},
	{name: "Trim leaves bodies", old: "DELETE FROM body WHERE position IN (SELECT position FROM entry WHERE position IN (", new: "DELETE FROM body WHERE 0 AND position IN (SELECT position FROM entry WHERE position IN ("},
	{name: "Trim keeps no base", old: "SET base = ?, base_version = ?", new: "SET base = substr(?, 1, 0), base_version = ?"},
	{name: "Trim of nothing in particular takes all", old: "WHERE integration IS NULL AND position <= ?", new: "WHERE position <= ?"},
	// The rest.
	{name: "Scan has an order of its own", old: "ORDER BY id LIMIT", new: "ORDER BY id COLLATE NOCASE LIMIT"},
	{name: "Scan leaves one out at each page", old: "FROM integration WHERE id > ? ORDER BY id", new: "FROM integration WHERE id > ? || '0' ORDER BY id"},
	{name: "a fence is not compared", old: "AND fence = ?", new: "AND ? > 0"},
	{name: "a new lease loses the cursor", old: "until = excluded.until", new: "until = excluded.until, position = 0"},
	// What only a power cut shows.
	{name: "synchronous=NORMAL", old: "PRAGMA synchronous = FULL", new: "PRAGMA synchronous = NORMAL", also: [2]string{"PRAGMA synchronous", "SELECT 2"}, caught: "TestPowerCut$"},
	{name: "the sync is dropped", noSync: true, caught: "TestPowerCut$"},
}

const envPlant = "KEYRACK_TEST_PLANT"

var (
	planted    = findPlant(os.Getenv(envPlant))
	plantCount atomic.Int64 // of statements that were changed
)

func findPlant(name string) *plant {
	for i := range plants {
		if plants[i].name == name {
			return &plants[i]
		}
	}
	return nil
}

// rewrite is what the stores of this process are opened with: nil but where a bug is
// planted.
func rewrite() func(string) string {
	if planted == nil || planted.old == "" {
		return nil
	}
	return func(query string) string {
		changed := strings.ReplaceAll(query, planted.old, planted.new)
		if changed != query {
			plantCount.Add(1)
		} else if also := planted.also; also[0] != "" {
			changed = strings.ReplaceAll(query, also[0], also[1])
		}
		return changed
	}
}

// TestPlants plants one bug after the other, each in a process of its own, and
// expects the tests to find it:
//
//	go test -run TestPlants -v
func TestPlants(t *testing.T) {
	if testing.Short() {
		t.Skip("a process for each of the planted bugs")
	}
	for i, p := range plants {
		if testkit.Race && i%8 != 0 {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			caught := p.caught
			if caught == "" {
				caught = "TestStore"
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+caught, "-test.failfast", "-test.timeout=60s", "-test.short")
			cmd.Env = append(os.Environ(), envPlant+"="+p.name, "TMPDIR="+fastDir(t), "KEYRACK_LONG=")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			switch {
			case err == nil:
				t.Errorf("nobody notices:\n%s", out)
			case !errors.As(err, &exit) || exit.ExitCode() == notPlanted:
				t.Errorf("the bug was not planted: %v\n%s", err, out)
			default:
				t.Logf("found by %s", firstFailure(string(out)))
			}
		})
	}
	if len(plants) < 20 {
		t.Errorf("%d bugs are too few", len(plants))
	}
}

func firstFailure(out string) string {
	last := "a crash"
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			last = name // the innermost comes last
		}
	}
	return last
}

const notPlanted = 77

// runPlanted runs the tests of a process with a bug in it.
func runPlanted(m *testing.M) int {
	code := m.Run()
	if planted.old != "" && plantCount.Load() == 0 {
		fmt.Println("no statement was changed")
		return notPlanted
	}
	return code
}
