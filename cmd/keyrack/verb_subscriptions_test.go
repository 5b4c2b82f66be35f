package main

import (
	"strings"
	"testing"
)

// TestTellSubscriptions: in a table for people, as they came for programs.
func TestTellSubscriptions(t *testing.T) {
	const answer = `{"subscriptions":[{"name":"mail\u001b[2J","paused":true,"position":7,"lag":3,"dead_letters":1,"later":true},{"name":"b","position":10}]}`
	for _, c := range []struct{ format, answer, want string }{
		{formatText, answer, "SUBSCRIPTION  STATE   POSITION  LAG  DEAD LETTERS\nmail\ufffd[2J      paused  7         3    1\nb             on      10        0    0\n"},
		{formatText, `{"subscriptions":[]}`, "no subscriptions\n"},
		{formatJSONL, answer, `{"name":"mail\u001b[2J","paused":true,"position":7,"lag":3,"dead_letters":1,"later":true}` + "\n" + `{"name":"b","position":10}` + "\n"},
		{formatJSON, `{"subscriptions":[]}`, "[]\n"},
	} {
		var b strings.Builder
		if err := tellSubscriptions(&output{format: c.format, w: &b}, []byte(c.answer)); err != nil || b.String() != c.want {
			t.Errorf("%s: %v\n%q, want\n%q", c.format, err, b.String(), c.want)
		}
	}
}
