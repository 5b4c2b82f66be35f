package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// docs are the pages whose commands are run: blocks of sh, in order, as one shell
// would, in a folder with these files of the repository.
var docs = map[string][]string{
	"docs/command.md":       nil,
	"docs/restoring.md":     nil,
	"docs/guides/node.md":   {"docs/guides/ask.mjs"},
	"docs/guides/python.md": {"docs/guides/ask.py"},
	"docs/guides/mews.md":   {"docs/guides/mews.mjs", "docs/guides/mews.py"},
}

// elsewhere are the blocks that are run by other means, by what they are.
var elsewhere = map[string]string{
	"docs/guides/go.md console": "TestGuideProgram in the root does the same, without a network",
	"docs/restoring.md console": "TestRestoringPage, which has a database",
	"docs/releasing.md console": "packaging/release: TestRelease, TestReleaseOfThisTree",
	"README.md console":         "go run ./cmd/keyrack demo is TestDemo, go test work what CI does, and what is installed TestReleaseOfThisTree",
	"CONTRIBUTING.md sh":        "what CI does, in .ci/run",
}

// TestDocs runs the commands of the pages.
func TestDocs(t *testing.T) {
	bash := tool(t, "bash", "the commands of the pages")
	tool(t, "openssl", "the commands of the pages")
	bin := t.TempDir()
	binary, err := os.Executable()
	if err == nil {
		err = os.Symlink(binary, filepath.Join(bin, "keyrack"))
	}
	if err != nil {
		t.Fatal(err)
	}
	for page, files := range docs {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			var script strings.Builder
			script.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n")
			blocks := fenced(t, filepath.Join("..", "..", page), "sh")
			connector := freeAddr()
			for _, block := range blocks {
				script.WriteString(strings.ReplaceAll(block, "127.0.0.1:8082", connector))
			}
			if len(blocks) == 0 {
				t.Fatal("where are the commands?")
			}
			c := exec.CommandContext(t.Context(), bash, "-c", script.String())
			c.Dir = t.TempDir()
			for _, file := range files {
				for _, g := range guides {
					if filepath.Base(file) == g.program {
						tool(t, g.interpreter, page)
					}
				}
				content, err := os.ReadFile(filepath.Join("..", "..", file))
				if err == nil {
					err = os.WriteFile(filepath.Join(c.Dir, filepath.Base(file)), content, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			c.WaitDelay = 10 * time.Second
			c.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+c.Dir)
			for name, value := range deskEnvironment(freeAddr(), freeAddr()) {
				c.Env = append(c.Env, name+"="+value)
			}
			out, err := c.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			sidecartest.Silent(t, "the output", string(out))
		})
	}
}

// TestDocsWhole: no page has commands that nothing runs.
func TestDocsWhole(t *testing.T) {
	root := os.DirFS(filepath.Join("..", ".."))
	fence := regexp.MustCompile("(?m)^```(sh|bash|shell|console)$")
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := fs.ReadFile(root, path)
		for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
			_, runs := docs[path]
			if _, other := elsewhere[path+" "+block[1]]; !other && !(runs && block[1] == "sh") {
				t.Errorf("%s: nothing runs its blocks of %s", path, block[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fenced returns the blocks of a language in a page.
func fenced(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	var block *strings.Builder
	for line := range strings.Lines(string(text)) {
		switch {
		case block == nil && line == "```"+language+"\n":
			block = new(strings.Builder)
		case block != nil && line == "```\n":
			blocks = append(blocks, block.String())
			block = nil
		case block != nil:
			block.WriteString(line)
		}
	}
	return blocks
}

// tool returns the path of a program that a test cannot do without. Where it is
// missing, the test ends: loudly, and under CI=true as a failure.
func tool(t *testing.T, name, missed string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and with it %s", name, missed)
	}
	if err != nil {
		t.Skipf("NOT TESTED: %s, for want of %s", missed, name)
	}
	return path
}
