package httpserver

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// TestPanicLog: a panic is logged with its stack, and without its value, which
// may hold what was in the request.
func TestPanicLog(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const canary = "canary-secret"
	var log bytes.Buffer // read after the server has ended
	s := Open(l, MostConnections, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		panic(req.URL.Query().Get("Token") + "\n\ngoroutine 7 [canary]:")
	}), slog.New(slog.NewTextHandler(&log, nil)))
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if _, err := client.Get("http://" + s.Addr + "/?Token=" + canary); err == nil {
		t.Error("the connection should have been cut")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "panic while answering a request") || !strings.Contains(log.String(), "log_test.go") {
		t.Errorf("no stack:\n%s", &log)
	}
	sidecartest.Silent(t, "the log", log.String())
}
