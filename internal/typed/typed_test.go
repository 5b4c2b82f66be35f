package typed_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/typed"
)

// TestID: white space around an identifier is dropped, and a GUID has one spelling.
func TestID(t *testing.T) {
	for given, want := range map[string]string{
		" Spa\n": "Spa", "": "", " ": "", "a b": "a b", "\t{4E1F0C62-5B8D-4C39-9A1E-AB2200F27C01} ": "4e1f0c62-5b8d-4c39-9a1e-ab2200f27c01",
	} {
		if got := typed.ID(given); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
}

// TestToken: what clings to a token on its way through a person's hands is dropped,
// and what no token can hold is refused without being quoted.
func TestToken(t *testing.T) {
	const token = "9E5E84E9-00B343A0"
	for _, given := range []string{
		token, " " + token + "\n", "\ufeff" + token, "\ufeff " + token + "\u00a0\r\n", `"` + token + `"`, "'" + token + "'",
		" \"" + token + "\"\n", "\"\t" + token + " \"", "\ufeff\"" + token + "\"",
	} {
		if got, err := typed.Token(given); err != nil || got.Reveal() != token {
			t.Errorf("%q is %q, %v", given, got.Reveal(), err)
		}
	}
	for _, given := range []string{"", " ", "\ufeff", `""`, `" "`, "two words", "two\nlines", "nul\x00", "bell\a", "no\u00a0break", "\u0085a\u009f", "a\ufeffb"} {
		if got, err := typed.Token(given); !errors.Is(err, typed.ErrToken) || !got.IsZero() {
			t.Errorf("%q is accepted: %v", given, err)
		} else if word := strings.TrimSpace(given); len(word) > 3 && strings.Contains(err.Error(), word) {
			t.Errorf("%q is quoted", given)
		}
	}
	for _, odd := range []string{`"`, `'`, `"a'`, `a"`} { // quotes that are not around the whole belong to it
		if got, err := typed.Token(odd); err != nil || got.Reveal() != odd {
			t.Errorf("%q is %q, %v", odd, got.Reveal(), err)
		}
	}
}

// TestOperation: an operation has one name, however much of its path is given.
func TestOperation(t *testing.T) {
	for given, want := range map[string]string{
		"":                    "",
		"reservations/getAll": "reservations/getAll",
		"/api/connector/v1/reservations/getAll/2023-06-06": "reservations/getAll/2023-06-06",
		"api/connector/v1/customers/search?x=1":            "customers/search",
		"/v1/services/getAll/":                             "services/getAll",
	} {
		if got, ok := typed.Operation(given); !ok || got != want {
			t.Errorf("%q is %q, %v; want %q", given, got, ok, want)
		}
	}
	for _, given := range []string{"https://api.mews.com/api/connector/v1/x", "two words", "a\nb", "péage", strings.Repeat("a", 101)} {
		if got, ok := typed.Operation(given); ok || got != "" {
			t.Errorf("%q is accepted as %q", given, got)
		}
	}
}
