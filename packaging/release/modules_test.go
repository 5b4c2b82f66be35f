package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestModulesOfThisTree: each module comes after those that it requires, and those that are
// not published are there.
func TestModulesOfThisTree(t *testing.T) {
	root := filepath.Join("..", "..")
	modules, err := readModules(root)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, m := range modules {
		for _, path := range m.needs {
			if !slices.Contains(order, path) {
				t.Errorf("%s comes before %s", m.path, path)
			}
		}
		order = append(order, m.path)
	}
	var folders []string
	for _, m := range modules {
		folders = append(folders, m.folder)
	}
	slices.Sort(folders)
	if want := []string{"", "cmd/keyrack", "keyrackotel", "pgstore", "sqlitestore"}; !slices.Equal(folders, want) {
		t.Errorf("published are %q, want %q", folders, want)
	}
	for _, folder := range unpublished {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(folder), "go.mod")); err != nil {
			t.Errorf("%s is no module: %v", folder, err)
		}
	}
}

func TestModulesInACircle(t *testing.T) {
	repo := smallTree(t)
	text := "module github.com/keyrack-dev/keyrack\n\ngo 1.26.0\n\nrequire github.com/keyrack-dev/keyrack/sqlitestore v0.0.0\n"
	if err := os.WriteFile(filepath.Join(repo, "go.mod"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readModules(repo); err == nil || !strings.Contains(err.Error(), "in a circle") {
		t.Error(err)
	}
}
