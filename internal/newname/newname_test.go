package newname

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestGive: what has the name keeps it, with hard links and without.
func TestGive(t *testing.T) {
	none := func(from, to string) error {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: errors.ErrUnsupported}
	}
	for how, link := range map[string]func(from, to string) error{"hard links": os.Link, "no hard links": none} {
		t.Run(how, func(t *testing.T) {
			folder := t.TempDir()
			from, to := filepath.Join(folder, "from"), filepath.Join(folder, "to")
			write(t, from, "new")
			if err := name(from, to, link); err != nil || content(to) != "new" || content(from) != "" {
				t.Errorf("%v: from %q, to %q", err, content(from), content(to))
			}
			write(t, from, "newer")
			if err := name(from, to, link); !errors.Is(err, fs.ErrExist) || content(to) != "new" || content(from) != "newer" {
				t.Errorf("over a file: %v: from %q, to %q", err, content(from), content(to))
			}
			if err := os.Remove(to); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(folder, "nowhere"), to); err != nil {
				t.Skip(err) // Windows, without the right to
			}
			if err := name(from, to, link); !errors.Is(err, fs.ErrExist) || content(from) != "newer" {
				t.Errorf("over a link that leads nowhere: %v: from %q", err, content(from))
			}
			gone := filepath.Join(folder, "gone")
			if err := name(gone, filepath.Join(folder, "other"), link); err == nil || content(filepath.Join(folder, "other")) != "" {
				t.Errorf("a file that is not there got a name: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(folder, "other")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}
