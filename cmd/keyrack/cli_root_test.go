package main

import (
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/testkit"
)

// TestHelp keeps the help where a person can review it.
func TestHelp(t *testing.T) {
	var all strings.Builder
	for _, args := range []string{"", "serve --help", "demo --help", "version --help"} {
		code, stdout, stderr := once(t, nil, strings.Fields(args)...)
		if code != exitOK || stderr != "" {
			t.Errorf("keyrack %s: exit code %d, stderr:\n%s", args, code, stderr)
		}
		all.WriteString(strings.TrimSpace("$ keyrack "+args) + "\n" + stdout + "\n")
	}
	testkit.Golden(t, "help.txt", all.String())
	for line := range strings.Lines(all.String()) {
		if len(line) > 101 {
			t.Errorf("too long for a terminal: %s", line)
		}
	}
}

func TestNoSuchCommand(t *testing.T) {
	code, stdout, stderr := once(t, nil, "serv")
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "did you mean serve?") {
		t.Errorf("exit code %d, stderr:\n%s", code, stderr)
	}
}

func TestVersion(t *testing.T) {
	code, stdout, stderr := once(t, nil, "version")
	if code != exitOK || stderr != "" || !regexp.MustCompile(`^keyrack \S+ commit \S+ go1\S* \w+/\w+\n$`).MatchString(stdout) {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, stdout, _ = once(t, nil, "version", "--format", "jsonl")
	if code != exitOK || !strings.Contains(stdout, `"go":"`+runtime.Version()+`","os":"`+runtime.GOOS+`"`) {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
}
