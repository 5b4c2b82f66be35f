package keyrack_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestReadmeProgram builds the program of the README as a module of its own, has it take a
// webhook and answer, and interrupts it.
func TestReadmeProgram(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(text), "```go\n")
	program, _, ended := strings.Cut(program, "```\n")
	if !ended || strings.Count(program, "\n") > 75 {
		t.Fatalf("the README has no program, or one that is too long:\n%s", program)
	}
	address := freeAddress(t)
	program = strings.ReplaceAll(program, "127.0.0.1:8080", address)
	program = strings.ReplaceAll(program, "9e5e84e9-974d-4f16-9662-ab2200f27cb1", integrationID("alps"))

	binary := built(t, program)
	app := exec.Command(binary)
	app.Env = append(os.Environ(), "WEBHOOK_SECRET=a-secret-for-this-test")
	says, err := app.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	defer app.Process.Kill()
	kill := time.AfterFunc(2*time.Minute, func() { app.Process.Kill() })
	defer kill.Stop()
	posted := false
	for lines := bufio.NewScanner(says); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.Contains(line, "not now: unknown (unfamiliar), "+keyrack.ErrNotFound.Error()) && !posted:
			body := creation("alps", "a token", lifecycle.Yes)
			r, err := http.Post("http://"+address+keyrack.DefaultPath+"?Token=a-secret-for-this-test", "application/json", bytes.NewReader(body))
			if err != nil {
				continue // it does not listen yet
			}
			r.Body.Close()
			if posted = true; r.StatusCode != http.StatusNoContent {
				t.Errorf("the webhook is answered %d", r.StatusCode)
			}
		case strings.HasSuffix(line, " now") && posted:
			if err := app.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		case posted && !strings.Contains(line, "not now"):
			t.Errorf("it says %q", line)
		}
	}
	if err := app.Wait(); err != nil || !posted {
		t.Errorf("it ends with %v; a webhook was taken: %v", err, posted)
	}
}

// built builds a program of a page as a module of its own, and returns the binary's path.
func built(t *testing.T, program string) string {
	t.Helper()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("main.go", program)
	mod, sum := must(read("go.mod")), must(read("go.sum"))
	write("go.mod", strings.Replace(mod, "module "+module, "module example.com/app", 1)+
		"\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+here+"\n")
	write("go.sum", sum)
	binary := filepath.Join(folder, "app")
	build := exec.Command("go", "build", "-mod=mod", "-o", binary, ".")
	build.Dir, build.Env = folder, append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// freeAddress returns an address of this machine at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// read returns a file's text, and whether it could be read.
func read(name string) (string, bool) {
	text, err := os.ReadFile(name)
	return string(text), err == nil
}
