package main

import (
	"errors"
	"testing"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

func codeFor(err error) int { code, _ := codeOf(err); return code }

func TestCodes(t *testing.T) {
	for status, want := range map[lifecycle.Status]int{lifecycle.Valid: 0, lifecycle.Invalid: 3, lifecycle.Unknown: 4} {
		if got := codeFor(exitOf(status)); got != want {
			t.Errorf("%v: exit code %d", status, got)
		}
	}
	// A store that cannot be closed is told beside the answer.
	code, silent := codeOf(errors.Join(exitCode(exitInvalid), errors.New("closing")))
	if code == exitOK || silent {
		t.Errorf("exit code %d, silent %t", code, silent)
	}
}
