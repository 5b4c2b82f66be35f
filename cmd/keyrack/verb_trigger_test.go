package main

import (
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

func TestParseEvent(t *testing.T) {
	for _, action := range lifecycle.Actions() {
		full := action.String()
		short := strings.TrimPrefix(full, "Integration")
		for _, name := range []string{full, short, strings.ToLower(full), strings.ToUpper(short), "integration-" + short} {
			if got := parseEvent(name); got != action {
				t.Errorf("%s is %v", name, got)
			}
		}
	}
	for _, name := range []string{"", "integration", "unknown", "create", "created "} {
		if got := parseEvent(name); got != lifecycle.ActionUnknown {
			t.Errorf("%q is %v", name, got)
		}
	}
}

// TestReadToken: a token is one line, and only the line end is removed.
