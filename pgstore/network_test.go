package pgstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
)

// buildTool returns the path of a program that a module under testdata pins; the go
// command builds it, and keeps it where it keeps what it builds.
func buildTool(t *testing.T, module, program, missed string) string {
	t.Helper()
	var said strings.Builder
	build := exec.Command("go", "-C", filepath.Join("testdata", module), "tool", "-n", program)
	build.Env = append(os.Environ(), "GOWORK=off")
	build.Stderr = &said
	path, err := build.Output()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s cannot be built: %v\n%s", program, err, &said)
		}
		t.Skipf("SKIPPED, %s: %s cannot be built: %v", missed, program, err)
	}
	return strings.TrimSpace(string(path))
}

// toxiproxy is a proxy between the store and the server that does to the network
// what it is told to.
type toxiproxy struct {
	t       *testing.T
	api     string
	address string
	process *os.Process
}

// startToxiproxy builds the pinned Toxiproxy and starts it before the server.
func startToxiproxy(t *testing.T, c *pgtest.Cluster) *toxiproxy {
	t.Helper()
	binary := buildTool(t, "toxiproxy", "github.com/Shopify/toxiproxy/v2/cmd/server", "NO NETWORK FAULTS ARE TESTED")
	port := pgtest.FreePort(t)
	p := &toxiproxy{t: t, api: fmt.Sprintf("http://127.0.0.1:%d", port), address: fmt.Sprintf("127.0.0.1:%d", pgtest.FreePort(t))}
	cmd := exec.Command(binary, "-host", "127.0.0.1", "-port", fmt.Sprint(port))
	cmd.Env = append(os.Environ(), "LOG_LEVEL=error")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.process = cmd.Process
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", p.api[len("http://"):])
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("Toxiproxy does not start")
		}
	}
	p.call(http.MethodPost, "/proxies", map[string]any{
		"name": "pg", "listen": p.address, "upstream": fmt.Sprintf("127.0.0.1:%d", c.Port()), "enabled": true,
	})
	return p
}

func (p *toxiproxy) call(method, path string, body any) {
	p.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.api+path, bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	if said, _ := io.ReadAll(answer.Body); answer.StatusCode >= 300 {
		p.t.Fatalf("Toxiproxy: %s %s: %s: %s", method, path, answer.Status, said)
	}
}

// during does something to what flows in a direction, for a time. "upstream" is to
// the server.
func (p *toxiproxy) during(d time.Duration, kind, direction string, attributes map[string]int) {
	p.t.Helper()
	p.call(http.MethodPost, "/proxies/pg/toxics", map[string]any{
		"name": kind, "type": kind, "stream": direction, "toxicity": 1.0, "attributes": attributes,
	})
	time.Sleep(d)
	p.call(http.MethodDelete, "/proxies/pg/toxics/"+kind, nil)
}

// cut ends all connections, and lets none through for a while.
func (p *toxiproxy) cut(d time.Duration) {
	p.t.Helper()
	p.call(http.MethodPost, "/proxies/pg", map[string]any{"enabled": false})
	time.Sleep(d)
	p.call(http.MethodPost, "/proxies/pg", map[string]any{"enabled": true})
}

func TestNetwork(t *testing.T) {
	c := pgtest.Shared(t)
	p := startToxiproxy(t, c)
	for _, fault := range []struct {
		name  string
		make  func()
		often int
	}{
		{"slow", func() {
			p.during(300*time.Millisecond, "latency", "upstream", map[string]int{"latency": 15, "jitter": 15})
			p.during(300*time.Millisecond, "latency", "downstream", map[string]int{"latency": 15, "jitter": 15})
		}, 1},
		{"cut", func() {
			time.Sleep(randomly(5*time.Millisecond, 60*time.Millisecond))
			p.cut(randomly(time.Millisecond, 30*time.Millisecond))
		}, 10},
		{"cut within a message", func() {
			p.during(randomly(30*time.Millisecond, 60*time.Millisecond), "limit_data", "upstream", map[string]int{"bytes": 1000 + int(randomly(0, 9000))})
			p.during(randomly(30*time.Millisecond, 60*time.Millisecond), "limit_data", "downstream", map[string]int{"bytes": 100 + int(randomly(0, 900))})
		}, 5},
		{"reset", func() {
			p.during(randomly(10*time.Millisecond, 50*time.Millisecond), "reset_peer", "downstream", map[string]int{"timeout": 5})
		}, 10},
		// Half-open: nothing arrives any more, and nobody says so.
		{"mute server", func() {
			p.during(1500*time.Millisecond, "timeout", "downstream", map[string]int{"timeout": 0})
			time.Sleep(100 * time.Millisecond)
		}, 1},
		{"deaf server", func() {
			p.during(1500*time.Millisecond, "timeout", "upstream", map[string]int{"timeout": 0})
			time.Sleep(100 * time.Millisecond)
		}, 1},
	} {
		t.Run(fault.name, func(t *testing.T) {
			p.t = t
			s := open(t, c.URL(p.address, "connect_timeout=2"), &pgstore.Options{Schema: c.Schema(t)})
			disturb(t, s, func() {
				for range cycles(fault.often, 20*fault.often) {
					time.Sleep(randomly(10*time.Millisecond, 50*time.Millisecond))
					fault.make()
				}
			})
		})
	}
}

// A client falls silent in the middle of a transaction. The server ends it, and
// nobody waits for its locks until the network notices.
func TestSilenceInATransaction(t *testing.T) {
	c := pgtest.Shared(t)
	p := startToxiproxy(t, c)
	schema := c.Schema(t)
	near := open(t, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	commitPiece(t, near, "a", 0)
	far := open(t, c.URL(p.address, "pool_max_conns=1"), &pgstore.Options{Schema: schema, NoListen: true})
	first := piece("b", 0) // which prepares the statements
	first.EraseBodies = true
	if _, err := far.Commit(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	p.call(http.MethodPost, "/proxies/pg/toxics", map[string]any{
		"name": "slow", "type": "latency", "stream": "upstream", "toxicity": 1.0, "attributes": map[string]int{"latency": 100},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		commit := piece("a", 1)
		commit.EraseBodies = true
		_, err := far.Commit(ctx, commit)
		ended <- err
	}()
	admin := c.Connect(t)
	for held, deadline := 0, time.Now().Add(10*time.Second); held == 0; {
		err := admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity where state = 'idle in transaction' and query like '%body (entry, sealed)%'`).Scan(&held)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the transaction does not begin: %v", err)
		}
	}
	if err := p.process.Signal(syscall.SIGSTOP); err != nil { // nothing arrives, nothing is closed
		t.Fatal(err)
	}
	begin := time.Now()
	bounded, stop := context.WithTimeout(t.Context(), 15*time.Second)
	defer stop()
	if _, err := near.Commit(bounded, piece("a", 1)); err != nil {
		t.Errorf("another commit, after %v: %v", time.Since(begin), err)
	}
	if _, _, err := near.Bounds(bounded); err != nil {
		t.Errorf("a reader, after %v: %v", time.Since(begin), err)
	}
	t.Logf("others waited %v", time.Since(begin).Round(time.Millisecond))
	cancel()
	begin = time.Now()
	if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(begin) > 2*time.Second {
		t.Errorf("the silent one, %v after its context has ended: %v", time.Since(begin), err)
	}
	if err := p.process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}
