package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefused: what could not be taken back is refused before anything is made.
func TestRefused(t *testing.T) {
	repo := smallTree(t)
	try := func(want string, change func(r *release)) {
		t.Helper()
		r := newRelease(t, repo)
		change(r)
		if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if tags := git(t, repo, "tag"); tags != "" {
			t.Errorf("%q leaves the tags %q", want, tags)
		}
	}
	for _, version := range []string{"", "0.3.0", "v0.3", "v2.0.0", "v0.3.0+x", "latest"} {
		try("is no version", func(r *release) { r.version = version })
	}
	try("has no section ## [0.4.0]", func(r *release) { r.version = "v0.4.0" })
	try("name a folder that does not", func(r *release) { r.to = t.TempDir() })
	if err := os.WriteFile(filepath.Join(repo, "new.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	try("changes that are not committed", func(*release) {})
	git(t, repo, "add", "new.txt")
	gone := filepath.Join(repo, "sqlitestore", "go.mod")
	text, err := os.ReadFile(gone)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(gone, append(text, "\nreplace example.com/fork => ../fork\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	git(t, repo, "commit", "--quiet", "--all", "--message", "fork")
	try("replaces example.com/fork, which is not of the repository", func(*release) {})
}
