//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
)

// packagingFolder is where what is tested here lies.
var packagingFolder = filepath.Join("..", "..", "packaging")

// TestBuild builds the command in two folders. The binaries are the same, byte for
// byte, are static, and know what they are.
func TestBuild(t *testing.T) {
	if os.Getenv("CI") != "true" && !long {
		t.Skip("NOT TESTED: that packaging/build is reproducible, which takes a minute of compiling; CI=true or KEYRACK_LONG=1 does it")
	}
	git := tool(t, "git", "that packaging/build is reproducible")
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), git, "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	platform := runtime.GOOS + "/" + runtime.GOARCH
	name := "keyrack-" + runtime.GOOS + "-" + runtime.GOARCH
	build := func(folder string) []byte {
		for file := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
			content, err := os.ReadFile(filepath.Join(root, file))
			if os.IsNotExist(err) {
				continue // deleted, and not committed yet
			}
			if err == nil {
				err = os.MkdirAll(filepath.Dir(filepath.Join(folder, file)), 0o755)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, file), content, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		c := exec.CommandContext(t.Context(), "bash", filepath.Join(folder, "packaging", "build"), filepath.Join(folder, "out"), platform)
		c.Env = append(os.Environ(), "KEYRACK_VERSION=v0.0.0-test", "KEYRACK_COMMIT=0123456789abcdef")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		binary, err := os.ReadFile(filepath.Join(folder, "out", name))
		if err != nil {
			t.Fatal(err)
		}
		sums, err := os.ReadFile(filepath.Join(folder, "out", "SHA256SUMS"))
		sum := sha256.Sum256(binary)
		if want := hex.EncodeToString(sum[:]) + "  " + name + "\n"; err != nil || string(sums) != want {
			t.Errorf("SHA256SUMS has %q, %v, want %q", sums, err, want)
		}
		if bytes.Contains(binary, []byte(folder)) {
			t.Error("the binary has in it where it was built")
		}
		return binary
	}
	first := filepath.Join(t.TempDir(), "first")
	one, other := build(first), build(filepath.Join(t.TempDir(), "somewhere", "else"))
	if !bytes.Equal(one, other) {
		t.Errorf("two builds differ: %d and %d bytes", len(one), len(other))
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(first, "out", name), "version").Output()
	if want := fmt.Sprintf("keyrack v0.0.0-test commit 0123456789abcdef %s %s\n", runtime.Version(), platform); err != nil || string(out) != want {
		t.Errorf("version says %q, %v, want %q", out, err, want)
	}
	if runtime.GOOS != "linux" {
		return
	}
	file, err := elf.NewFile(bytes.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary is not static: it has %v", part.Type)
		}
	}
}

// TestContainerfile: what the container file says is so of this command and of what
// packaging/build leaves.
func TestContainerfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(packagingFolder, "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			word, rest, _ := strings.Cut(line, " ")
			said[word] = append(said[word], rest)
		}
	}
	if got := said["FROM"]; !slices.Equal(got, []string{"scratch"}) {
		t.Errorf("FROM %q: nothing is to be fetched", got)
	}
	for _, word := range []string{"RUN", "ADD", "SHELL"} {
		if said[word] != nil {
			t.Errorf("%s needs what scratch does not have", word)
		}
	}
	if user := said["USER"]; len(user) != 1 || !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user[0]) {
		t.Errorf("USER %q: a number that is not root's, since there are no names", user)
	} else if !strings.Contains(strings.Join(said["COPY"], "\n"), "--chown="+user[0]+" --chmod=0700 data /data") {
		t.Errorf("the data is not %s's", user[0])
	}
	known := knownVariables(newRoot(func(string) string { return "" }))
	env := map[string]string{}
	for pair := range strings.FieldsSeq(strings.Join(said["ENV"], " ")) {
		name, value, _ := strings.Cut(pair, "=")
		if env[name] = value; !slices.Contains(known, name) || slices.Contains(secretVariables, name) {
			t.Errorf("%s is no setting that belongs here", name)
		}
	}
	if d, err := storage.Parse(env["KEYRACK_STORE"]); err != nil || !slices.Contains(said["VOLUME"], filepath.Dir(strings.TrimPrefix(d.String(), "sqlite:"))) {
		t.Errorf("the store %q is not on the volume %q", env["KEYRACK_STORE"], said["VOLUME"])
	}
	if !strings.Contains(said["EXPOSE"][0], strings.TrimPrefix(env["KEYRACK_WEBHOOK_ADDR"], ":")) {
		t.Errorf("EXPOSE %q lacks the webhooks' port", said["EXPOSE"])
	}
	if verb, _, err := newRoot(func(string) string { return "" }).Find([]string{"serve"}); err != nil || verb.Name() != "serve" ||
		!slices.Equal(said["CMD"], []string{`["serve"]`}) || !slices.Equal(said["ENTRYPOINT"], []string{`["/keyrack"]`}) {
		t.Errorf("it runs %q %q", said["ENTRYPOINT"], said["CMD"])
	}
}

// TestUnit: systemd takes the unit as it is meant, and calls it well hardened.
func TestUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "that systemd takes packaging/keyrack.service")
	text, err := os.ReadFile(filepath.Join(packagingFolder, "keyrack.service"))
	if err != nil {
		t.Fatal(err)
	}
	start := regexp.MustCompile(`(?m)^ExecStart=(/usr/bin/keyrack) (.*)$`).FindStringSubmatch(string(text))
	if start == nil {
		t.Fatal("the unit starts something else")
	}
	verb, rest, err := newRoot(func(string) string { return "" }).Find(strings.Fields(start[2]))
	if err != nil || verb.Name() != "serve" || verb.ParseFlags(rest) != nil {
		t.Errorf("the unit starts keyrack %s: %v", start[2], err)
	}
	for _, needed := range []string{"Type=notify", "DynamicUser=yes", "ProtectSystem=strict", "StateDirectory=keyrack", "MemoryMax=1G", "LimitCORE=0"} {
		if !strings.Contains(string(text), "\n"+needed+"\n") {
			t.Errorf("the unit lacks %s", needed)
		}
	}
	// verify wants to see what is started.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "keyrack.service")
	if err := os.WriteFile(unit, []byte(strings.Replace(string(text), "ExecStart="+start[1], "ExecStart="+self, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 { // what is unknown is passed over with a warning
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	const most = 1.5 // of 10; below 2.0 systemd calls it OK
	out, err = exec.CommandContext(t.Context(), analyze, "security", "--offline=yes", "--no-pager", unit).CombinedOutput()
	level := regexp.MustCompile(`Overall exposure level for keyrack\.service: ([\d.]+)`).FindSubmatch(out)
	if level == nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	if exposure, err := strconv.ParseFloat(string(level[1]), 64); err != nil || exposure > most {
		t.Errorf("the exposure level is %s, want at most %v:\n%s", level[1], most, out)
	}
}

// TestKubernetes: what the manifests set is a setting, and what they start is serve. What the
// cluster makes of the manifests is tested beside them.
func TestKubernetes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(packagingFolder, "kubernetes", "keyrack.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	args := regexp.MustCompile(`(?m)^ +args: \[(.*)\]$`).FindStringSubmatch(string(text))
	if args == nil {
		t.Fatal("nothing is started")
	}
	verb, rest, err := newRoot(func(string) string { return "" }).Find(strings.Split(args[1], ", "))
	if err != nil || verb.Name() != "serve" || verb.ParseFlags(rest) != nil {
		t.Errorf("keyrack %s: %v", args[1], err)
	}
	known := knownVariables(newRoot(func(string) string { return "" }))
	set := regexp.MustCompile(`(?m)^ +(?:- name: )?(KEYRACK_[A-Z_]+)(?:=(.*))?$`).FindAllStringSubmatch(string(text), -1)
	secrets := 0
	for _, m := range set {
		if !slices.Contains(known, m[1]) {
			t.Errorf("%s is no setting", m[1])
		}
		if slices.Contains(secretVariables, m[1]) {
			if secrets++; m[2] == "" {
				t.Errorf("%s is not in the Secret", m[1])
			}
		}
	}
	if len(set) < 8 || secrets < 4 {
		t.Errorf("%d settings, %d secrets", len(set), secrets)
	}
}

// TestCredentials: what systemd hands to a service may show as its group's to read, and as
// nobody else's.
func TestCredentials(t *testing.T) {
	folder := t.TempDir()
	config, key := filepath.Join(folder, "keyrack.env"), filepath.Join(folder, "sealing.key")
	for file, text := range map[string]string{
		config: secretVariable + "=" + sidecartest.Secret + "\n", key: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", folder+"/")
	for mode, fine := range map[os.FileMode]bool{0o440: true, 0o444: false, 0o442: false} {
		for _, file := range []string{config, key} {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			if os.Geteuid() == 0 { // the group is one that the service is not in
				if err := os.Chown(file, 0, 4242); err != nil {
					t.Fatal(err)
				}
			}
		}
		code, stdout, stderr := once(t, nil, "config", "--config", config, "serve")
		if (code == exitOK) != fine || fine && !regexp.MustCompile(secretVariable+`\s+set\s+file`).MatchString(stdout) {
			t.Errorf("%v: exit code %d, stdout:\n%s\nstderr:\n%s", mode, code, stdout, stderr)
		}
		if _, err := (storage.KeySource{File: key}).Load(storage.URL{}, false); (err == nil) != fine {
			t.Errorf("%v: %v", mode, err)
		}
	}
}
