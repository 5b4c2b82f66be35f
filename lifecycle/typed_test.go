package lifecycle

import (
	"errors"
	"strings"
	"testing"
)

// TestTypedToken: what clings to a token on its way through a person's hands is dropped,
// and what no token can hold is refused without being quoted.
func TestTypedToken(t *testing.T) {
	const token = "9E5E84E9-00B343A0"
	for _, typed := range []string{
		token, " " + token + "\n", "\ufeff" + token, "\ufeff " + token + "\u00a0\r\n", `"` + token + `"`, "'" + token + "'",
		" \"" + token + "\"\n", "\"\t" + token + " \"", "\ufeff\"" + token + "\"",
	} {
		if got, err := TypedToken(typed); err != nil || got.Reveal() != token {
			t.Errorf("%q is %q, %v", typed, got.Reveal(), err)
		}
	}
	for _, typed := range []string{"", " ", "\ufeff", `""`, `" "`, "two words", "two\nlines", "nul\x00", "bell\a", "no\u00a0break", "\u0085a\u009f", "a\ufeffb"} {
		if got, err := TypedToken(typed); !errors.Is(err, ErrTypedToken) || !got.IsZero() {
			t.Errorf("%q is accepted: %v", typed, err)
		} else if word := strings.TrimSpace(typed); len(word) > 3 && strings.Contains(err.Error(), word) {
			t.Errorf("%q is quoted", typed)
		}
	}
	for _, odd := range []string{`"`, `'`, `"a'`, `a"`} { // quotes that are not around the whole belong to it
		if got, err := TypedToken(odd); err != nil || got.Reveal() != odd {
			t.Errorf("%q is %q, %v", odd, got.Reveal(), err)
		}
	}
}
