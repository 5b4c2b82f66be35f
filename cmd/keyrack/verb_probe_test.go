package main

import (
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
)

// TestNewestAnswer: only an answer to a request that began after the earlier look counts.
func TestNewestAnswer(t *testing.T) {
	early, late := time.Unix(1000, 0), time.Unix(2000, 0)
	with := func(tokens ...api.Token) api.Integration { return api.Integration{Tokens: tokens} }
	a := func(at *time.Time) api.Token { return api.Token{Digest: "a", Asked: at} }
	b := func(at *time.Time) api.Token { return api.Token{Digest: "b", Asked: at} }
	for _, c := range []struct {
		about       string
		before, now api.Integration
		want        string
	}{
		{"never asked", with(a(nil)), with(a(nil)), ""},
		{"the answer of before", with(a(&early)), with(a(&early)), ""},
		{"the first answer", with(a(nil)), with(a(&early)), "a"},
		{"a newer answer", with(a(&early), b(&late)), with(a(&late), b(&late)), "a"},
		{"an answer about a new token", with(a(&late)), with(a(&late), b(&early)), "b"},
		{"a token that is gone", with(a(&early)), with(), ""},
	} {
		got := ""
		if token := newestAnswer(c.before, c.now); token != nil {
			got = token.Digest
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.about, got, c.want)
		}
	}
}

// TestReportRefuses: a report says what was answered, and how long ago the call began.
func TestReportRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"report --elapsed 2s":               "--answer must be",
		"report --answer 20 --elapsed 2s":   "--answer must be",
		"report --answer 200":               "--elapsed must be",
		"report --answer 200 --elapsed -2s": "--elapsed must be",
	} {
		code, stdout, stderr := once(t, nil, strings.Fields(args)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
}
