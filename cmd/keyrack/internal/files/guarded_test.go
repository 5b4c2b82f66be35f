package files

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestJudge: the rule, for a process that is user 1000 of the groups 1000 and 2000.
func TestJudge(t *testing.T) {
	const fine, warns, refused = "fine", "warns", "refused"
	me := identity{1000, []int{1000, 2000}}
	mine, fsGroup, roots, foreign := owner{1000, 1000}, owner{0, 2000}, owner{0, 0}, owner{1001, 1000}
	for _, test := range []struct {
		what string
		a    access
		want string
	}{
		{"our own", access{mode: 0o600, owner: mine}, fine},
		{"made at the first start, and given to fsGroup by the kubelet", access{mode: 0o660, owner: fsGroup}, fine},
		{"our own, for our group", access{mode: 0o640, owner: mine}, fine},
		{"a Secret with defaultMode 0440 and fsGroup", access{mode: 0o440, owner: fsGroup}, fine},
		{"root's, which systemd passes on", access{mode: 0o440, owner: roots, credential: true}, fine},
		{"root's group's", access{mode: 0o440, owner: roots}, refused},
		{"root's group's, mounted", access{mode: 0o440, owner: roots, mounted: true}, warns},
		{"everybody's to read", access{mode: 0o644, owner: mine}, refused},
		{"everybody's to read, mounted", access{mode: 0o444, owner: roots, mounted: true}, warns},
		{"everybody's to read, and no secret", access{mode: 0o644, owner: mine, public: true}, fine},
		{"everybody's to write", access{mode: 0o666, owner: mine}, refused},
		{"everybody's to write, and no secret", access{mode: 0o666, owner: mine, public: true}, refused},
		{"everybody's to write, mounted", access{mode: 0o666, owner: roots, mounted: true}, refused},
		{"a foreign group's to write", access{mode: 0o620, owner: owner{1000, 3000}}, refused},
		{"a credential that its group can write", access{mode: 0o460, owner: roots, credential: true}, refused},
		{"a credential that everybody can read", access{mode: 0o444, owner: roots, credential: true}, refused},
		{"another user's", access{mode: 0o600, owner: foreign}, refused},
		{"another user's, mounted", access{mode: 0o440, owner: foreign, mounted: true}, refused},
		{"another user's, and no secret", access{mode: 0o644, owner: foreign, public: true}, refused},
	} {
		problem, fix, fatal := test.a.judge(me)
		got := map[bool]string{true: refused, false: warns}[fatal]
		if problem == "" {
			got = fine
		}
		if got != test.want || (problem == "") != (fix == "") {
			t.Errorf("%s: %s (%s; %s)", test.what, got, problem, fix)
		}
	}
}

// TestGuarded: what is refused names the file, its mode, what is wanted, and where else the
// content may come from; and never what is in it.
func TestGuarded(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: modes mean nothing on Windows")
	}
	dir := t.TempDir()
	g := Guarded{What: "the key", Elsewhere: "set MADE_UP"}
	file := func(name string, mode fs.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("canary"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(name, target string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(dir, "..data"), 0o700); err != nil {
		t.Fatal(err)
	}
	file("..data/volume", 0o444)
	file("..data/loose", 0o446)
	for _, test := range []struct {
		path, warning, err string
	}{
		{file("private", 0o600), "", ""},
		{file("group", 0o660), "", ""},
		{file("read", 0o604), "", "(mode 0604, "},
		{file("written", 0o602), "", "run: chmod go= "},
		{link("link", "private"), "", ""},
		{link("wide", "read"), "", "others can read it"},
		{link("volume", "..data/volume"), "others can read it; mount it with mode 0400", ""},
		{link("loose", "..data/loose"), "", "others can write it"},
		{link("dangling", "nothing"), "", "is a symbolic link to nothing, which is not there"},
		{filepath.Join(dir, "none"), "", "no such file"},
		{dir, "", "is a folder"},
	} {
		text, warning, err := g.Read(test.path)
		switch {
		case test.err == "" && (err != nil || string(text) != "canary"):
			t.Errorf("%s: %q, %v", test.path, text, err)
		case test.err != "" && (err == nil || text != nil || !strings.Contains(err.Error(), test.err) ||
			!strings.Contains(err.Error(), "set MADE_UP") || !strings.Contains(err.Error(), test.path) || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s: %v", test.path, err)
		}
		if (warning == "") != (test.warning == "") || !strings.Contains(warning, test.warning) {
			t.Errorf("%s warns: %q", test.path, warning)
		}
	}
	if _, err := g.Check(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
	if os.Geteuid() == 0 { // only root can give files away
		given := file("given", 0o600)
		if err := os.Chown(given, 4242, 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := g.Read(given); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
			t.Errorf("another user's: %v", err)
		}
		theirs := link("theirs", "private")
		if err := os.Lchown(theirs, 4242, 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := g.Read(theirs); err == nil || !strings.Contains(err.Error(), "the symbolic link belongs to another user") {
			t.Errorf("another user's link: %v", err)
		}
	}
}

// TestCredential: only what lies in the folder of systemd's credentials is one.
func TestCredential(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/keyrack/")
	for path, want := range map[string]bool{
		"/run/credentials/keyrack/key": true, "/run/credentials/keyrack/deeper/key": false, "/etc/key": false,
	} {
		if got := isCredential(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
