package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// TestHints: every way in which a delivery fails says what to do next.
func TestHints(t *testing.T) {
	with, without := target{secret: lifecycle.NewToken("canary")}, target{}
	for _, a := range []mewstest.Reply{{Trouble: "no connection"}, {Status: 401}, {Status: 404}, {Status: 503}} {
		for _, where := range []target{with, without} {
			if hint := where.hint(a); hint == "" || strings.Contains(hint, "canary") {
				t.Errorf("%v: %q", a, hint)
			}
		}
	}
	if with.hint(mewstest.Reply{Status: 401}) == without.hint(mewstest.Reply{Status: 401}) {
		t.Error("a wrong secret and none look the same")
	}
}

// TestTargetWarns: a secret that goes over a network in clear is worth a line.
func TestTargetWarns(t *testing.T) {
	env := func(string) string { return "canary" }
	for to, warns := range map[string]bool{
		"http://127.0.0.1:8080/": false, "http://localhost/": false, "https://hotel.example/": false, "http://hotel.example/": true,
	} {
		var warnings bytes.Buffer
		one := target{url: to}
		if err := one.check(env, &warnings); err != nil || warnings.Len() > 0 != warns {
			t.Errorf("%s: %v, %q", to, err, warnings.String())
		}
		sidecartest.Silent(t, "the warning", warnings.String())
		c := sidecar{url: to}
		warnings.Reset()
		if err := c.open(env, &warnings); err != nil || warnings.Len() > 0 != warns {
			t.Errorf("--api %s: %v, %q", to, err, warnings.String())
		}
		sidecartest.Silent(t, "the warning", warnings.String())
	}
}
