package main

import (
	"testing"
)

func TestStatus(t *testing.T) {
	if got := (&output{colour: true}).status("valid"); got != "\x1b[32mvalid\x1b[0m" {
		t.Errorf("no colour: %q", got)
	}
	if got := (&output{colour: true}).status("other"); got != "other" {
		t.Errorf("a colour though it is not a status: %q", got)
	}
	if got := (&output{}).status("valid"); got != "valid" {
		t.Errorf("a colour where there is none: %q", got)
	}
}
