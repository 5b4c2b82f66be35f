//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// flood holds so many connections to a listener, by whatever a client without a secret can do:
// silence, half a header, a body that does not end. One that is closed is opened again.
func flood(ctx context.Context, addr string, connections int) (wait func()) {
	var all sync.WaitGroup
	for n := range connections {
		opening := []string{
			"", "POST /webhooks/mews?Token=guess HTTP/1.1\r\nHo",
			"POST /webhooks/mews?Token=guess HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		}[n%4]
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
				if err == nil {
					end := context.AfterFunc(ctx, func() { conn.Close() })
					_, _ = io.WriteString(conn, opening)
					_, _ = io.Copy(io.Discard, conn) // until it is closed
					end()
					conn.Close()
				}
				select {
				case <-time.After(50 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	return all.Wait
}

// TestFlood: while 400 connections without the secret crowd the webhook listener of a process
// that may have 300 files, every question is answered, and every good delivery is taken in
// within a second.
func TestFlood(t *testing.T) {
	const files, connections, within = 300, 400, time.Second
	var p process
	cmd := exec.Command("/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" serve --webhook-addr=127.0.0.1:0 --api-addr=127.0.0.1:0`, files), os.Args[0])
	cmd.Env = append(os.Environ(), asCommand+"=1", secretVariable+"="+sidecartest.Secret, "KEYRACK_STORE=sqlite:"+t.TempDir()+"/k.db")
	cmd.Stderr = &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	p.webhooks = p.waitFor(t, `"receiving webhooks" url=http://([^/]+)/`)[1]
	p.api = p.waitFor(t, `"answering questions" url=http://([^/]+)/`)[1]
	body, err := demo.Body("enabled.json")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	wait := flood(ctx, p.webhooks, connections)
	defer wait()
	defer end()
	time.Sleep(500 * time.Millisecond) // the flood is in full swing
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	var slowest time.Duration
	const rounds = 12
	for range rounds {
		resp, err := client.Get("http://" + p.api + "/v1/integrations")
		if err != nil {
			t.Fatalf("a question was not answered: %v", err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("a question was answered %d", resp.StatusCode)
		}
		began := time.Now()
		resp, err = client.Post("http://"+p.webhooks+"/webhooks/mews?Token="+sidecartest.Secret, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatalf("a good delivery was not taken in: %v", err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("a good delivery was answered %d", resp.StatusCode)
		}
		slowest = max(slowest, time.Since(began))
	}
	if slowest > within {
		t.Errorf("a good delivery took %v", slowest)
	}
	t.Logf("%d questions answered, %d deliveries taken in, the slowest in %v", rounds, rounds, slowest)
}
