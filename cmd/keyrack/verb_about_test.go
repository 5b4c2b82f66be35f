package main

import (
	"regexp"
	"runtime"
	"strings"
	"testing"
)

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
