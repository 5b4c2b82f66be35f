package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// TestWrites: a file is there whole or not at all, for its owner alone, and nothing is
// left beside it.
func TestWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	broken := errors.New("made-up")
	failing := func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return broken }
	expect := func(want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if want == "" && !errors.Is(err, fs.ErrNotExist) || want != "" && (err != nil || string(got) != want) {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
		if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	if err := Create(path, failing); !errors.Is(err, broken) || Exists(path) {
		t.Error(err)
	}
	expect("")
	if err := Create(path, text("one")); err != nil || !Exists(path) {
		t.Error(err)
	}
	expect("one")
	if err := Create(path, text("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created over a file: %v", err)
	}
	expect("one")
	if err := Replace(path, failing); !errors.Is(err, broken) {
		t.Error(err)
	}
	expect("one")
	if err := Replace(path, text("two")); err != nil {
		t.Error(err)
	}
	expect("two")
	if warning, err := (Guarded{What: "the file"}).Check(path); warning != "" || err != nil {
		t.Errorf("others can read it: %q, %v", warning, err)
	}
}
