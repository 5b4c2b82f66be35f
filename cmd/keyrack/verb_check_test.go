package main

import (
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestTellIntrospection: a verdict in words, with its guess, its evidence and its age.
func TestTellIntrospection(t *testing.T) {
	age := int64(7200)
	for _, c := range []struct {
		about string
		i     api.Introspection
		want  string
	}{
		{
			"valid",
			api.Introspection{
				Active: true, Status: lifecycle.Valid, Reason: lifecycle.ReasonLive, State: lifecycle.Enabled, Integration: "an id",
				Enterprise: "a hotel", Evidence: &api.Evidence{Kind: lifecycle.KindDelivery, Action: "IntegrationEnabled"}, AgeSeconds: &age,
			},
			"valid: live\n  integration  an id\n  enterprise   a hotel\n  state        enabled\n  evidence     IntegrationEnabled, 2 h old\n",
		},
		{"unknown", api.Introspection{Status: lifecycle.Unknown, Reason: lifecycle.ReasonUnfamiliar, Guess: lifecycle.Invalid}, "unknown: unfamiliar (probably invalid)\n"},
		{"assumed", api.Introspection{Status: lifecycle.Valid, Reason: lifecycle.ReasonLive, Assumed: true}, "valid: live, assumed\n"},
		{
			"an id that is none", api.Introspection{Status: lifecycle.Invalid, Reason: lifecycle.ReasonDeleted, State: lifecycle.Deleted, Integration: "a\x1b[2J"},
			"invalid: deleted\n  integration  a\ufffd[2J\n  state        deleted\n",
		},
	} {
		var b strings.Builder
		if err := tellIntrospection(&output{format: formatText, w: &b}, c.i); err != nil || b.String() != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.about, err, b.String(), c.want)
		}
	}
}

// TestAge: one unit, and none that says less than two of it.
func TestAge(t *testing.T) {
	for seconds, want := range map[int64]string{
		0: "0 s", 119: "119 s", 120: "2 min", 7199: "119 min", 7200: "2 h", 48*3600 - 1: "47 h", 48 * 3600: "2 days", 400 * 86400: "400 days", -5: "-5 s",
	} {
		if got := ageOf(seconds); got != want {
			t.Errorf("%d s: %s, want %s", seconds, got, want)
		}
	}
}
