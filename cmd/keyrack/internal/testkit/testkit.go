// Package testkit has what the tests of the command's packages share: golden files, a
// buffer that may be read while it is written, and the words that no output may hold.
package testkit

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Update is the flag -update, which rewrites golden files.
var Update = flag.Bool("update", false, "write what comes out into the golden files")

// Golden compares with a file of testdata, or writes it.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *Update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; go test -update writes it anew (-want +got):\n%s", file, diff)
	}
}

// Silent fails if a text holds something that nobody should read.
func Silent(t *testing.T, where, text string) {
	t.Helper()
	for _, forbidden := range []string{
		"canary", "9E5E84E9974D4F169662AB2200F27CB1", "00B343A0DDA725CACAC028E38E3EABF", "5D0C1A7E3F2B49688A1C0D9E7B64F21",
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(forbidden)) {
			t.Errorf("%s has %q in it:\n%s", where, forbidden, text)
		}
	}
}

// Buffer is a bytes.Buffer that may be read while it is written.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
