package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseConfig(t *testing.T) {
	known := func(name string) bool { return strings.HasPrefix(name, "KEYRACK_") }
	got, err := parseConfig("\ufeff# c\n\nKEYRACK_A=1\r\nexport KEYRACK_B='two words'\n KEYRACK_C = \"x=y\" \nKEYRACK_D=\nKEYRACK_E='", known)
	want := map[string]string{"KEYRACK_A": "1", "KEYRACK_B": "two words", "KEYRACK_C": "x=y", "KEYRACK_D": "", "KEYRACK_E": "'"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, text := range []string{"canary", "KEYRACK_A=canary\nKEYRACK_A=canary", "PATH=canary", "canary==", "=canary"} {
		if _, err := parseConfig(text, known); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
