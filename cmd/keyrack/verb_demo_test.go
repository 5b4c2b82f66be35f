package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	began := time.Now()
	code, stdout, stderr := once(t, nil, "demo")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, stderr:\n%s", code, stderr)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	took := regexp.MustCompile(`It took \S+ s\.`)
	testkit.Golden(t, "demo.txt", took.ReplaceAllString(port.ReplaceAllString(stdout, "127.0.0.1:PORT"), "It took TIME s."))
	sidecartest.Silent(t, "stdout", stdout)
}

// TestDemoInterrupted: a signal ends a demo that waits.
func TestDemoInterrupted(t *testing.T) {
	p := start(t, nil, "demo")
	for end := time.Now().Add(testkit.Patience); !strings.Contains(p.stdout.String(), "Later than the horizon, "); {
		if time.Now().After(end) {
			t.Fatal("the demo does not begin to wait")
		}
		time.Sleep(time.Millisecond)
	}
	p.signal()
	if code := p.wait(t); code != exitError || !strings.Contains(p.stderr.String(), "interrupted") {
		t.Errorf("exit code %d:\n%s", code, &p.stderr)
	}
}
