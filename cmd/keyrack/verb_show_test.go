package main

import (
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
)

// TestDescribe: names come from hotels, and times are in UTC.
func TestDescribe(t *testing.T) {
	for want, n := range map[string]*api.Named{
		"": nil, "an id": {ID: "an id"}, "an id (Alpenrose)": {ID: "an id", Name: "Alpenrose"}, "a\ufffd (b\ufffd[2J)": {ID: "a\n", Name: "b\x1b[2J"},
	} {
		if got := describeNamed(n); got != want {
			t.Errorf("%+v: %q, want %q", n, got, want)
		}
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 999, time.FixedZone("", -3600))
	if got := describeTime(&at) + describeTime(nil); got != "2026-03-01T13:00:00Z" {
		t.Errorf("a time is %s", got)
	}
}
