package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
)

// TestPanicLog: a panic is logged with its stack, and without its value, which
// may hold what was in the request.
func TestPanicLog(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log buffer
	s := openSite(l, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		panic(req.URL.Query().Get("Token") + "\n\ngoroutine 7 [canary]:")
	}), newLogger(&log))
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if _, err := client.Get("http://" + s.addr + "/?Token=" + secret); err == nil {
		t.Error("the connection should have been cut")
	}
	if err := s.close(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "panic while answering a request") || !strings.Contains(log.String(), "log_test.go") {
		t.Errorf("no stack:\n%s", &log)
	}
	silent(t, "the log", log.String())
}

// TestRefusalLog: the first refusal of each kind is logged at once, and those
// that follow are counted until the next line.
func TestRefusalLog(t *testing.T) {
	d := newDeliveryLog(newLogger(new(buffer)))
	now := time.Unix(1e9, 0)
	for i, test := range []struct {
		after time.Duration
		kind  keyrack.Refusal
		want  int
	}{
		{0, keyrack.RefusedSecret, 1},
		{0, keyrack.RefusedSecret, 0},
		{0, keyrack.RefusedSyntax, 1},
		{refusalPause - 1, keyrack.RefusedSecret, 0},
		{1, keyrack.RefusedSecret, 3},
		{0, keyrack.RefusedSecret, 0},
		{refusalPause, keyrack.RefusedSyntax, 1},
	} {
		now = now.Add(test.after)
		if got := d.count(test.kind, now); got != test.want {
			t.Errorf("step %d: a line tells of %d, want %d", i, got, test.want)
		}
	}
}
