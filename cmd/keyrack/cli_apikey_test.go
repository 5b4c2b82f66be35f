package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// TestAPIKey: what keyrack apikey prints is what serve takes.
func TestAPIKey(t *testing.T) {
	code, stdout, stderr := once(t, nil, "apikey", "booking-engine", "introspect,report")
	lines := strings.Split(stdout, "\n")
	if code != exitOK || stderr != "" || len(lines) != 3 || len(lines[0]) != 47 || !strings.HasPrefix(lines[0], "krk_") {
		t.Fatalf("exit code %d, stdout:\n%s\nstderr:\n%s", code, stdout, stderr)
	}
	if !strings.HasPrefix(lines[1], "booking-engine introspect,report ") || strings.Contains(lines[1], lines[0]) {
		t.Errorf("the line: %s", lines[1])
	}
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("# who may ask\n\n"+lines[1]+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := serving(t, nil, "--api-keys-file", file)
	for key, want := range map[string]int{lines[0]: http.StatusOK, lines[0][:46]: http.StatusUnauthorized, "": http.StatusUnauthorized} {
		answer := talk(t, p.api, "POST /v1/introspect HTTP/1.1\nHost: elsewhere.example\nContent-Type: application/x-www-form-urlencoded\n"+
			"Authorization: Bearer "+key+"\n\ntoken=canary")
		if !strings.Contains(answer, http.StatusText(want)) {
			t.Errorf("key of %d letters: %s", len(key), answer)
		}
	}
}

func TestAPIKeyRefuses(t *testing.T) {
	for _, args := range []string{"", "one", "one two three", "one canary", "one read,", "a/b read", "canary\x00 read"} {
		code, stdout, stderr := once(t, nil, append([]string{"apikey"}, strings.Fields(args)...)...)
		if code != exitUsage || stdout != "" {
			t.Errorf("keyrack apikey %q: exit code %d, stdout:\n%s", args, code, stdout)
		}
		sidecartest.Silent(t, "stderr", stderr)
	}
}
