package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestLineOf: an entry in one line, with what changed by it and nothing that could move
// the cursor.
func TestLineOf(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	accepted := lifecycle.Accepted
	for _, c := range []struct {
		about string
		d     api.Change
		want  string
	}{
		{
			"a delivery that changes state and verdict",
			api.Change{
				At: at, Integration: "an id", Kind: lifecycle.KindDelivery, Action: "IntegrationDisabled", Outcome: lifecycle.Applied,
				From: lifecycle.Enabled, To: lifecycle.Disabled, Was: lifecycle.Valid, Is: lifecycle.Invalid, Reason: lifecycle.ReasonDisabled,
			},
			"2026-03-01T11:00:00Z  an id                                 IntegrationDisabled       applied  enabled -> disabled  valid -> invalid (disabled)",
		},
		{
			"a delivery that is not understood",
			api.Change{At: at, Kind: lifecycle.KindDelivery, Outcome: lifecycle.Unrecognized, Unread: []string{"Action", "Data"}, Alarm: true},
			"2026-03-01T11:00:00Z  (none)                                                          unrecognized  unread: Action Data  ALARM",
		},
		{
			"a probe", api.Change{At: at, Integration: "an id", Kind: lifecycle.KindProbe, Answered: &accepted, Outcome: lifecycle.Applied},
			"2026-03-01T11:00:00Z  an id                                 probe accepted            applied",
		},
		{
			"control characters",
			api.Change{At: at, Integration: "\x1b[2J", Kind: lifecycle.KindDelivery, Action: "\r", Cause: "\x07", Outcome: lifecycle.Conflict},
			"2026-03-01T11:00:00Z  \ufffd[2J                                  \ufffd                         conflict (\ufffd)",
		},
	} {
		if got := lineOf(&output{}, c.d); got != c.want {
			t.Errorf("%s:\n%q, want\n%q", c.about, got, c.want)
		}
	}
}

// TestTailFlags: what makes no sense is refused before anything is asked.
func TestTailFlags(t *testing.T) {
	for about, c := range map[string]struct {
		t  tailing
		ok bool
	}{
		"nothing":        {tailing{}, true},
		"all kinds":      {tailing{kinds: []string{"status", "state", "token", "alarm", "any"}}, true},
		"another kind":   {tailing{kinds: []string{"status", "colour"}}, false},
		"a position":     {tailing{after: "18446744073709551615"}, true},
		"a negative one": {tailing{after: "-1"}, false},
		"too large":      {tailing{after: "18446744073709551616"}, false},
		"negative count": {tailing{count: -1}, false},
	} {
		if err := c.t.check(); (err == nil) != c.ok || err != nil && !errors.As(err, new(usage.Error)) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

// TestTake: events of other names and broken ones are passed over, but move the place from
// which it goes on; the last line of --count ends the stream.
func TestTake(t *testing.T) {
	var b strings.Builder
	tail := tailing{count: 2, output: output{format: formatJSONL, w: &b}}
	for _, e := range []client.Event{
		{ID: "1", Name: "change", Data: []byte(`{"position":1}`)}, {ID: "2", Name: "later", Data: []byte(`{}`)}, {Name: "change", Data: []byte(`{"posi`)},
	} {
		if err := tail.take(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := tail.take(client.Event{ID: "4", Name: "change", Data: []byte(`{"position":4}`)}); !errors.Is(err, errEnough) {
		t.Errorf("after the second line: %v", err)
	}
	if got := b.String(); got != "{\"position\":1}\n{\"position\":4}\n" || tail.after != "4" {
		t.Errorf("printed %q, and goes on after %q", got, tail.after)
	}
}
