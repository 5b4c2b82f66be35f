package main

import (
	"strings"
	"testing"
)

// TestSettleRefuses: a word says something, and who says it and why.
func TestSettleRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"settle one --enabled":                  "--who and --why are required",
		"settle one --enabled --who Kim":        "--who and --why are required",
		"settle one --who Kim --why ticket-7":   "say something",
		"settle --enabled --who Kim --why call": "INTEGRATION",
	} {
		code, stdout, stderr := once(t, nil, strings.Fields(args)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
}
