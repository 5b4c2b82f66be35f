package api

import (
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// TestParseAPIKeys: anything that is not a key is refused, in words that do not quote it.
func TestParseAPIKeys(t *testing.T) {
	sum := strings.Repeat("0f", 32)
	for text, want := range map[string]string{
		"":                "",
		"# a comment\n\n": "",
		"a read " + sum:   "",
		"a read,token " + sum + "\n  b admin " + sum: "",
		"canary":                             "line 1: a line must hold",
		"a read " + sum + " canary":          "line 1: a line must hold",
		"a canary " + sum:                    "line 1: a scope must be one of",
		"a read,canary " + sum:               "line 1: a scope must be one of",
		"\na read canary":                    "line 2: the SHA-256",
		"a read " + sum[1:]:                  "line 1: the SHA-256",
		"a read " + sum + "00":               "line 1: the SHA-256",
		"a read " + sum + "\na token " + sum: "line 2: another key has the same name",
		"canary/ read " + sum:                "line 1: a name consists of letters",
	} {
		_, err := ParseKeys(text, "keys", nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err != nil {
			sidecartest.Silent(t, "the error", err.Error())
		}
	}
}

// TestScopes: each scope allows itself, admin everything, and any key what needs none.
func TestScopes(t *testing.T) {
	for _, has := range scopeNames {
		for _, needs := range scopeNames {
			want := has == needs || has.scope == ScopeAdmin
			if got := has.scope.allows(needs.scope); got != want {
				t.Errorf("%s allows %s: %v", has.name, needs.name, got)
			}
		}
		if !has.scope.allows(scopeNone) {
			t.Errorf("%s does not allow what any key will do for", has.name)
		}
		if parsed, err := ParseScopes(has.scope.String()); err != nil || parsed != has.scope {
			t.Errorf("%s: %v, %v", has.name, parsed, err)
		}
	}
}
