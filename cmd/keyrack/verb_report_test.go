package main

import (
	"strings"
	"testing"
)

// TestReportRefuses: a report says what was answered, and how long ago the call began.
func TestReportRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"report --elapsed 2s":               "--answer must be",
		"report --answer 20 --elapsed 2s":   "--answer must be",
		"report --answer 200":               "--elapsed must be",
		"report --answer 200 --elapsed -2s": "--elapsed must be",
	} {
		code, stdout, stderr := once(t, nil, strings.Fields(args)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
}
