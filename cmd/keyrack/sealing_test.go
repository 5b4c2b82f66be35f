package main

import (
	"bytes"
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/seal"
)

// inFolder starts serve on a file in a folder.
func inFolder(t *testing.T, folder string, env map[string]string, args ...string) *process {
	t.Helper()
	all := map[string]string{"KEYRACK_STORE": "sqlite:" + filepath.Join(folder, "hotels.db")}
	maps.Copy(all, env)
	return serving(t, all, args...)
}

// stop ends a process as a signal would, and expects it to be content.
func stop(t *testing.T, p *process) {
	t.Helper()
	p.signal()
	if code := p.wait(t); code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, &p.stderr)
	}
	sidecartest.Silent(t, "stderr", p.stderr.String())
}

// TestServeSQLite: what was taken in is there after a restart, under a key that
// was made beside the file; no token is in the files in clear.
func TestServeSQLite(t *testing.T) {
	folder := t.TempDir()
	p := inFolder(t, folder, nil)
	p.waitFor(t, `level=WARN msg="created a sealing key; .* file=\S*/hotels.db.key`)
	deliver(t, p, "created.json")
	stop(t, p)
	key := filepath.Join(folder, "hotels.db.key")
	info, err := os.Stat(key)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v", info.Mode())
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(sidecartest.SampleToken)) {
			t.Errorf("%s has the token in it", filepath.Base(file))
		}
	}

	p = inFolder(t, folder, map[string]string{api.KeysVariable: sidecartest.APIKeys})
	if i := introspected(t, p, "asker"); !i.Active || i.Integration != sidecartest.SampleIntegration {
		t.Errorf("after the restart: %+v", i)
	}
	handed := sidecartest.Read[api.TokenAnswer](t, sidecartest.Call(t, p.api, "holder", "POST", "/v1/integrations/"+sidecartest.SampleIntegration+"/token", "", ""))
	if handed.Token != sidecartest.SampleToken {
		t.Error("another token was handed out")
	}
	stop(t, p)
	if strings.Contains(p.stderr.String(), "a sealing key was made") {
		t.Error("a second key was made")
	}
}

// TestServeKeys: a store opens with its own key alone, wherever that is.
func TestServeKeys(t *testing.T) {
	folder := t.TempDir()
	stop(t, inFolder(t, folder, nil))
	file := filepath.Join(folder, "hotels.db.key")
	own, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := base64.StdEncoding.EncodeToString(seal.NewKey())
	fails := func(what, say string, env map[string]string, args ...string) {
		t.Helper()
		all := map[string]string{
			secretVariable: sidecartest.Secret, "KEYRACK_STORE": "sqlite:" + filepath.Join(folder, "hotels.db"),
			"KEYRACK_WEBHOOK_ADDR": "127.0.0.1:0", "KEYRACK_API_ADDR": "127.0.0.1:0",
		}
		maps.Copy(all, env)
		code, _, stderr := once(t, all, append([]string{"serve"}, args...)...)
		if code == exitOK || !strings.Contains(stderr, say) {
			t.Errorf("%s: exit code %d, stderr should have %q:\n%s", what, code, say, stderr)
		}
		for _, key := range []string{other, strings.TrimSpace(string(own))} {
			if strings.Contains(stderr, key) {
				t.Errorf("%s: stderr has the key in it", what)
			}
		}
	}
	fails("a wrong key", "the key of KEYRACK_SEALING_KEY is not the one that this store was created with", map[string]string{storage.KeyVariable: other})
	fails("two sources", "remove one of them", map[string]string{storage.KeyVariable: other}, "--sealing-key-file", file)
	// The first key of a ring seals, and all of them open.
	stop(t, inFolder(t, folder, map[string]string{storage.KeyVariable: other + "," + strings.TrimSpace(string(own))}))
	if runtime.GOOS != "windows" {
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		fails("a key for everybody", "others can read it; run: chmod go= ", nil)
	}
	moved := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(moved, own, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	fails("no key", "Put the file back, or pass the key with --sealing-key-file", nil)
	stop(t, inFolder(t, folder, nil, "--sealing-key-file", moved))
	if err := os.WriteFile(moved, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails("a file that is no key", "a key is 32 bytes", nil, "--sealing-key-file", moved)
}
