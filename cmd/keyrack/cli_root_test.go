package main

import (
	"strings"
	"testing"
)

func TestNoSuchCommand(t *testing.T) {
	code, stdout, stderr := once(t, nil, "serv")
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "did you mean serve?") {
		t.Errorf("exit code %d, stderr:\n%s", code, stderr)
	}
}
