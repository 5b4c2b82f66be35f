// Package sidecartest has what the tests of the command's packages share: how to call a
// sidecar and with which keys, what a page of metrics looks like, and the words that no
// output may hold.
package sidecartest

import (
	"strings"
	"testing"
)

// Silent fails if a text holds something that nobody should read.
func Silent(t *testing.T, where, text string) {
	t.Helper()
	for _, forbidden := range []string{
		"canary", "9E5E84E9974D4F169662AB2200F27CB1", "00B343A0DDA725CACAC028E38E3EABF", "5D0C1A7E3F2B49688A1C0D9E7B64F21",
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(forbidden)) {
			t.Errorf("%s has %q in it:\n%s", where, forbidden, text)
		}
	}
}
