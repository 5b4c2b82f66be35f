package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
)

// TestAtRest takes a store through export, restore, backup and doctor.
func TestAtRest(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	p := inFolder(t, folder, nil)
	deliver(t, p, "created.json")
	deliver(t, p, "disabled.json")

	keyrack := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		code, stdout, stderr := once(t, map[string]string{"KEYRACK_STORE": "sqlite:" + at("hotels.db")}, args...)
		if code != want {
			t.Fatalf("keyrack %s: exit code %d, want %d; stdout:\n%s\nstderr:\n%s", strings.Join(args, " "), code, want, stdout, stderr)
		}
		sidecartest.Silent(t, "stdout", stdout)
		sidecartest.Silent(t, "stderr", stderr)
		return strings.ReplaceAll(stdout, folder, "FOLDER"), stderr
	}
	healthy := "schema   ok\nfile     ok\nkeys     ok, from FOLDER/hotels.db.key\njournal  ok, every record matches its journal; integrations: 1\n"

	// While the receiver runs.
	if out, _ := keyrack(exitOK, "doctor"); out != healthy {
		t.Errorf("doctor says:\n%s", out)
	}
	if out, _ := keyrack(exitOK, "doctor", "--format", "jsonl"); out != `{"check":"schema","ok":true}
{"check":"file","ok":true}
{"check":"keys","ok":true,"detail":"from FOLDER/hotels.db.key"}
{"check":"journal","ok":true,"detail":"every record matches its journal; integrations: 1"}
` {
		t.Errorf("doctor says line by line:\n%s", out)
	}
	if out, _ := keyrack(exitOK, "doctor", "--format", "json"); !strings.HasPrefix(out, "{\n  \"ok\": true,\n  \"results\": [\n") {
		t.Errorf("doctor says as one value:\n%s", out)
	}
	if out, _ := keyrack(exitOK, "backup", at("copy.db")); out != "FOLDER/copy.db is complete\n" {
		t.Errorf("backup says: %s", out)
	}
	if _, said := keyrack(exitError, "backup", at("copy.db")); !strings.Contains(said, "does not overwrite") {
		t.Errorf("backup over a file: %s", said)
	}
	if _, said := keyrack(exitOK, "export", "--tokens", "-o", at("export.jsonl")); said != "1 integrations\n" {
		t.Errorf("export says: %s", said)
	}
	stop(t, p)

	// The copy is as good as the original, with its key.
	if out, _ := keyrack(exitOK, "doctor", "--store", "sqlite:"+at("copy.db"), "--sealing-key-file", at("hotels.db.key")); out != healthy {
		t.Errorf("doctor says of the copy:\n%s", out)
	}
	if _, said := keyrack(exitError, "doctor", "--store", "sqlite:"+at("copy.db")); !strings.Contains(said, "the sealing key of sqlite:") {
		t.Errorf("doctor says without a key: %s", said)
	}

	// Into another store, where the same is known and handed out.
	restoring := []string{"restore", "--store", "sqlite:" + at("new.db"), "--sealing-key-file", at("hotels.db.key")}
	if out, _ := keyrack(exitOK, append(restoring, at("export.jsonl"))...); out != "1 integrations restored, 0 refused\n" {
		t.Errorf("restore says: %s", out)
	}
	refusal := `{"line":2,"integration":"` + sidecartest.SampleIntegration + `","reason":"the store has this integration already"}` + "\n"
	if out, _ := keyrack(exitError, append(restoring, at("export.jsonl"), "--format", "jsonl")...); out != refusal {
		t.Errorf("restore says of each line: %s", out)
	}
	if out, _ := keyrack(exitError, append(restoring, at("export.jsonl"), "--format", "json")...); !strings.HasPrefix(out, "{\n  \"restored\": 0,\n  \"refused\": [\n") {
		t.Errorf("restore says as one value: %s", out)
	}
	again, _ := keyrack(exitError, append(restoring, at("export.jsonl"))...)
	if again != "line 2: "+sidecartest.SampleIntegration+": the store has this integration already\n0 integrations restored, 1 refused\n" {
		t.Errorf("restore says the second time: %s", again)
	}
	if out, _ := keyrack(exitOK, "doctor", "--store", "sqlite:"+at("new.db"), "--sealing-key-file", at("hotels.db.key")); out != healthy {
		t.Errorf("doctor says of the new one:\n%s", out)
	}
	p = serving(t, map[string]string{"KEYRACK_STORE": "sqlite:" + at("new.db"), "KEYRACK_SEALING_KEY_FILE": at("hotels.db.key")})
	if i := introspected(t, p, ""); i.Active || i.Reason.String() != "disabled" {
		t.Errorf("the new store says %+v", i)
	}
	deliver(t, p, "deleted.json")
	stop(t, p)

	// An export to stdout, without tokens; a line that cannot be read is refused.
	export, _ := keyrack(exitOK, "export")
	if err := os.WriteFile(at("broken.jsonl"), []byte(export+"{canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken, _ := keyrack(exitError, "restore", "--store", "sqlite:"+at("third.db"), "--sealing-key-file", at("hotels.db.key"), at("broken.jsonl"))
	if broken != "line 3: (no integration): the line cannot be read\n1 integrations restored, 1 refused\n" {
		t.Errorf("restore says of a broken line: %s", broken)
	}
}

// TestDoctorOnAWrongKey: doctor and serve say that it is the wrong one.
func TestDoctorOnAWrongKey(t *testing.T) {
	folder := t.TempDir()
	p := inFolder(t, folder, nil)
	deliver(t, p, "created.json")
	stop(t, p)
	file := filepath.Join(folder, "hotels.db")
	wrong := map[string]string{storage.KeyVariable: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", secretVariable: sidecartest.Secret}
	const wrongSaid = "the key of KEYRACK_SEALING_KEY " + storage.WrongKey + "\n"
	code, stdout, stderr := once(t, wrong, "doctor", "--store", "sqlite:"+file)
	if code != exitError || !strings.HasSuffix(stdout, "\nFINDING  keys: "+wrongSaid) || stderr != "" {
		t.Errorf("a wrong key: exit code %d, stdout:\n%s\nstderr:\n%s", code, stdout, stderr)
	}
	code, stdout, _ = once(t, wrong, "doctor", "--store", "sqlite:"+file, "--format", "jsonl")
	if code != exitError || !strings.HasSuffix(stdout, "\n"+`{"check":"keys","ok":false,"detail":"`+strings.TrimSpace(wrongSaid)+"\"}\n") {
		t.Errorf("a wrong key, line by line: exit code %d, stdout:\n%s", code, stdout)
	}
	code, _, stderr = once(t, wrong, "serve", "--store", "sqlite:"+file, "--webhook-addr", "127.0.0.1:0", "--api-addr", "127.0.0.1:0")
	if code != exitError || !strings.HasSuffix(stderr, "keyrack: "+wrongSaid) {
		t.Errorf("serve with a wrong key: exit code %d, stderr:\n%s", code, stderr)
	}
}

// TestAtRestRefuses: what makes no sense is refused with what to do.
func TestAtRestRefuses(t *testing.T) {
	none := "sqlite:" + filepath.Join(t.TempDir(), "none.db")
	for _, test := range []struct {
		args string
		code int
		say  string
	}{
		{"doctor --store memory", exitUsage, "a store in memory belongs to another process"},
		{"export --store memory", exitUsage, "a store in memory belongs to another process"},
		{"restore --store memory -", exitUsage, "a store in memory belongs to another process"},
		{"doctor --store " + none, exitError, "there is no database at"},
		{"export --store " + none, exitError, "there is no database at"},
		{"backup --store " + none + " copy.db", exitError, "there is no database at"},
		{"restore --store " + none + " -", exitError, "the sealing key of sqlite:"},
		{"restore --store " + none, exitUsage, "takes one file"},
		{"backup --store " + none, exitUsage, "takes the path of a new file"},
		{"backup --store postgres://canary:canary@127.0.0.1:1/canary copy.db", exitUsage, "backup is for SQLite stores"},
		{"export --store mysql:canary", exitUsage, "--store must be sqlite:PATH"},
	} {
		code, stdout, stderr := once(t, nil, strings.Fields(test.args)...)
		if code != test.code || stdout != "" || !strings.Contains(stderr, test.say) {
			t.Errorf("keyrack %s: exit code %d, want %d; stderr should have %q:\n%s", test.args, code, test.code, test.say, stderr)
		}
		sidecartest.Silent(t, "stderr", stderr)
	}
}
