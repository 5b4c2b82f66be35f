package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestRelease: every module is tagged at one commit, in which none replaces another, and what
// a stranger's go command makes of them works.
func TestRelease(t *testing.T) {
	r := newRelease(t, smallTree(t))
	before := git(t, r.repo, "rev-parse", "HEAD")
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := git(t, r.repo, "rev-parse", "HEAD"); now != before || git(t, r.repo, "status", "--porcelain") != "" {
		t.Errorf("the branch was at %s and is at %s", before, now)
	}
	if got, want := strings.Fields(git(t, r.repo, "tag")), []string{"cmd/keyrack/v0.3.0", "sqlitestore/v0.3.0", "v0.3.0"}; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("tags %q, want %q", got, want)
	}
	for _, tag := range []string{"cmd/keyrack/v0.3.0", "sqlitestore/v0.3.0"} {
		text := git(t, r.repo, "show", tag+":"+strings.TrimSuffix(tag, "v0.3.0")+"go.mod")
		if strings.Contains(text, "replace") || !strings.Contains(text, "github.com/keyrack-dev/keyrack v0.3.0") {
			t.Errorf("%s has the go.mod:\n%s", tag, text)
		}
	}
	if text := git(t, r.repo, "show", "v0.3.0:packaging/go.mod"); !strings.Contains(text, "replace") {
		t.Errorf("a module that is not published lost its replace:\n%s", text)
	}
	names := "keyrack-" + runtime.GOOS + "-" + runtime.GOARCH
	sums, err := os.ReadFile(filepath.Join(r.to, "SHA256SUMS"))
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{64}  `+names+`(\.exe)?\n[0-9a-f]{64}  keyrack-v0\.3\.0\.cdx\.json\n$`).Match(sums) {
		t.Errorf("SHA256SUMS: %v\n%s", err, sums)
	}
	again := newRelease(t, r.repo)
	if err := again.run(t.Context()); err == nil || !strings.Contains(err.Error(), "the tag v0.3.0 is there already") {
		t.Errorf("the same version once more: %v", err)
	}
}

// TestReleaseOfThisTree releases the repository as it is checked out, for a pretended version
// and without tags: every module is tidy without replace, command and libraries install from
// a file proxy in an empty folder without a network, and two builds are the same.
func TestReleaseOfThisTree(t *testing.T) {
	if os.Getenv("CI") != "true" && os.Getenv("KEYRACK_LONG") == "" {
		t.Skip("NOT TESTED: a release of this tree, which takes minutes of compiling; CI=true or KEYRACK_LONG=1 does it")
	}
	r := newRelease(t, copyOfThisTree(t))
	r.version, r.dryRun = "v0.99.0-pretended", true
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// newRelease returns a release of v0.3.0 for this platform that needs no network and leaves
// the cache of builds warm.
func newRelease(t *testing.T, repo string) *release {
	t.Helper()
	var log bytes.Buffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return &release{
		repo: repo, version: "v0.3.0", to: filepath.Join(t.TempDir(), "dist"),
		platforms: []string{runtime.GOOS + "/" + runtime.GOARCH}, warm: true, offline: true, log: &log,
	}
}

// smallTree makes a repository of the shape of this one, whose command says its version.
func smallTree(t *testing.T) string {
	t.Helper()
	build, err := os.ReadFile(filepath.Join("..", "build"))
	if err != nil {
		t.Fatal(err)
	}
	const path = "github.com/keyrack-dev/keyrack"
	return commit(t, map[string]string{
		"go.work":                    "go 1.26.0\n\nuse (\n\t./cmd/keyrack\n\t.\n\t./packaging\n\t./sqlitestore\n)\n",
		"CHANGELOG.md":               "# Changelog\n\n## [0.3.0] - 2026-12-01\n",
		"LICENSE":                    "Free.\n",
		"packaging/build":            string(build),
		"go.mod":                     "module " + path + "\n\ngo 1.26.0\n",
		"keyrack.go":                 "package keyrack\n",
		"sqlitestore/go.mod":         "module " + path + "/sqlitestore\n\ngo 1.26.0\n\nrequire " + path + " v0.0.0\n\nreplace " + path + " => ../\n",
		"sqlitestore/sqlitestore.go": "package sqlitestore\n\nimport _ \"" + path + "\"\n",
		"packaging/go.mod":           "module " + path + "/packaging\n\ngo 1.26.0\n\nrequire " + path + " v0.0.0\n\nreplace " + path + " => ../\n",
		"packaging/main.go":          "package main\n\nimport _ \"" + path + "\"\n\nfunc main() {}\n",
		"cmd/keyrack/go.mod": "module " + path + "/cmd/keyrack\n\ngo 1.26.0\n\nrequire (\n\t" + path + " v0.0.0\n\t" + path +
			"/sqlitestore v0.0.0\n)\n\nreplace " + path + " => ../..\n\nreplace " + path + "/sqlitestore => ../../sqlitestore\n",
		"cmd/keyrack/main.go": "package main\n\nimport (\n\t\"runtime/debug\"\n\t\"os\"\n\n\t_ \"" + path + "\"\n\t_ \"" + path + `/sqlitestore"
)

var stampedVersion, stampedCommit string

func main() {
	info, _ := debug.ReadBuildInfo()
	os.Stdout.WriteString("keyrack " + info.Main.Version + stampedVersion + " commit " + stampedCommit + "\n")
}
`,
	})
}

// copyOfThisTree returns a repository of what is checked out here, changes included.
func copyOfThisTree(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for name := range strings.SplitSeq(git(t, root, "-c", "core.quotePath=false", "ls-files", "--cached", "--others", "--exclude-standard"), "\n") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(content)
	}
	return commit(t, files)
}

// commit makes a repository of these files.
func commit(t *testing.T, files map[string]string) string {
	t.Helper()
	for name, value := range map[string]string{"NAME": "Keyrack", "EMAIL": "keyrack@example.com"} {
		t.Setenv("GIT_AUTHOR_"+name, value)
		t.Setenv("GIT_COMMITTER_"+name, value)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	repo := t.TempDir()
	for name, text := range files {
		path := filepath.Join(repo, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, repo, "init", "--quiet", "--initial-branch", "main")
	git(t, repo, "add", "--all", "--force")
	git(t, repo, "commit", "--quiet", "--message", "all")
	return repo
}

func git(t *testing.T, folder string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "git", append([]string{"-c", "safe.directory=*"}, args...)...)
	c.Dir = folder
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
