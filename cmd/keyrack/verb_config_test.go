package main

import (
	"testing"
)

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"sqlite:keyrack.db":               "sqlite:keyrack.db",
		"http://127.0.0.1:8081":           "http://127.0.0.1:8081",
		"postgres://u:canary@h/d":         "postgres://h/d (the rest is hidden)",
		"postgres://h/d?password=canary":  "postgres://h/d (the rest is hidden)",
		"postgres://u:can%ary@h/d":        "(hidden: not a URL)",
		"http://127.0.0.1/hooks#canary":   "http://127.0.0.1/hooks (the rest is hidden)",
		"https://canary@h/?x=y&token=can": "https://h/ (the rest is hidden)",
	} {
		if got := shown(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
