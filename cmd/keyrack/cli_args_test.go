package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
)

func TestReadToken(t *testing.T) {
	for text, want := range map[string]string{
		"canary": "canary", "canary\n": "canary", "canary\r\n": "canary", " canary ": "canary", "\ufeff\"canary\"\n": "canary",
		strings.Repeat("x", api.TokenLimit) + "\n": strings.Repeat("x", api.TokenLimit),
		"": "", "\n": "", "a\nb": "", "a\n\n": "a", "a\r": "a", "a b": "", "a\x00b": "", "\"\"": "",
		strings.Repeat("x", api.TokenLimit+1): "",
		strings.Repeat("x", 1<<20):            "",
	} {
		token, err := readToken(strings.NewReader(text))
		if token.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("%.20q: %.20q, %v", text, token.Reveal(), err)
		}
		if err != nil && codeFor(err) != exitUsage {
			t.Errorf("%.20q: exit code %d", text, codeFor(err))
		}
	}
	if _, err := readToken(brokenReader{}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error quotes: %v", err)
	}
}

// TestTokenErrorsSayWhatToDo: who gave no token, or something else, is told what to do.
func TestTokenErrorsSayWhatToDo(t *testing.T) {
	_, broken := readToken(brokenReader{})
	_, long := readToken(strings.NewReader(strings.Repeat("x", api.TokenLimit+1)))
	_, lines := readToken(strings.NewReader("a\nb"))
	_, empty := tokenFrom([]string{""}, strings.NewReader(""), io.Discard)
	for _, err := range []error{broken, long, lines, empty} {
		if err == nil || !strings.Contains(err.Error(), "; ") {
			t.Errorf("it does not say what to do: %v", err)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("canary") }
