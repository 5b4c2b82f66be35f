package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

var guidesFolder = filepath.Join("..", "..", "docs", "guides")

// guides are the programs that the guides are about. Those that ask the sidecar do the
// same; the others are run with the commands of their page.
var guides = []struct {
	guide, program, fence, interpreter string
	asks                               bool
}{
	{"python.md", "ask.py", "python", "python3", true},
	{"node.md", "ask.mjs", "js", "node", true},
	{"mews.md", "mews.py", "python", "python3", false},
	{"mews.md", "mews.mjs", "js", "node", false},
}

// TestGuidesText: what a guide shows is its program, whole and in order.
func TestGuidesText(t *testing.T) {
	for _, g := range guides {
		program, err := os.ReadFile(filepath.Join(guidesFolder, g.program))
		if err != nil {
			t.Fatal(err)
		}
		shown := strings.Join(fenced(t, filepath.Join(guidesFolder, g.guide), g.fence), "")
		// A block ends without the empty lines that stand between two in the program.
		squeeze := func(text string) string {
			var lines []string
			for line := range strings.Lines(text) {
				if strings.TrimSpace(line) != "" {
					lines = append(lines, line)
				}
			}
			return strings.Join(lines, "")
		}
		if diff := cmp.Diff(squeeze(string(program)), squeeze(shown)); diff != "" {
			t.Errorf("%s shows something else than %s:\n%s", g.guide, g.program, diff)
		}
	}
}

// TestGuides runs the guides' programs against a real receiver and a fake of Mews.
func TestGuides(t *testing.T) {
	for _, g := range guides {
		if !g.asks {
			continue
		}
		t.Run(g.program, func(t *testing.T) {
			interpreter := tool(t, g.interpreter, "docs/guides/"+g.program)
			tour := guideTour{t: t, interpreter: interpreter, program: filepath.Join(guidesFolder, g.program)}
			testkit.Golden(t, "guides.txt", tour.run())
		})
	}
}

// guideTour is one program's way through all that it can do.
type guideTour struct {
	t                    *testing.T
	interpreter, program string
	env                  []string
	out                  strings.Builder
}

// command makes a process of the program.
func (g *guideTour) command(args ...string) *exec.Cmd {
	c := exec.CommandContext(g.t.Context(), g.interpreter, append([]string{g.program}, args...)...)
	c.Env = append([]string{"PYTHONDONTWRITEBYTECODE=1"}, g.env...)
	for _, name := range []string{"PATH", "HOME"} {
		c.Env = append(c.Env, name+"="+os.Getenv(name))
	}
	return c
}

// show runs the program to its end, and writes down what it says.
func (g *guideTour) show(scene string, args ...string) {
	g.t.Helper()
	c := g.command(args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		g.t.Fatal(err)
	}
	sidecartest.Silent(g.t, scene, stdout.String()+stderr.String())
	code := c.ProcessState.ExitCode()
	fmt.Fprintf(&g.out, "=== %s\n%sexit code %d\n\n", scene, &stdout, code)
	if told := stderr.String(); (code == 1) != strings.HasPrefix(told, "the sidecar cannot say: ") {
		g.t.Errorf("%s: exit code %d, stderr:\n%s", scene, code, told)
	}
}

func (g *guideTour) run() string {
	t := g.t
	world := mewstest.New(&mewstest.Options{Seed: 1, Manual: true, ClientToken: lifecycle.NewToken("canary-client")})
	hotel := world.Connect("Alpenrose")
	mews := asksAt(t, world)
	p := serving(t, map[string]string{api.KeysVariable: sidecartest.APIKeys})
	with := func(api, key string) {
		g.env = []string{"KEYRACK_API=http://" + api, "KEYRACK_API_KEY=" + key, "MEWS_URL=http://" + mews.Addr, "MEWS_CLIENT_TOKEN=canary-client"}
	}
	with(p.api, "canary-boss")

	g.show("an integration that nobody knows", hotel.ID())
	r := sidecartest.Call(t, p.api, "boss", http.MethodPost, api.IntegrationsPath+"/"+hotel.ID()+"/import", "application/json", `{"token":"`+hotel.Token()+`"}`)
	if r.Status != http.StatusOK {
		t.Fatalf("the import: %d, %s", r.Status, r.Body)
	}
	g.show("one whose token works", hotel.ID())
	hotel.RotateKey() // without a webhook
	g.show("one whose token no longer works", hotel.ID())
	g.show("the same again", hotel.ID())
	deliver(t, p, "created.json")
	g.env = g.env[:2]
	g.show("without Mews", sidecartest.SampleIntegration)
	deliver(t, p, "disabled.json")
	g.show("one that is disabled", sidecartest.SampleIntegration)
	g.show("the first changes", "--changes", "3", "0")
	g.show("those after the second", "--changes", "1", "2")
	g.follow(p, with)
	with(p.api, "canary-wrong")
	g.show("a key that the sidecar does not know", sidecartest.SampleIntegration)
	with(p.api, "canary-asker")
	g.show("a key that may not have tokens", sidecartest.SampleIntegration)
	stop(t, p)
	with(p.api, "canary-boss")
	g.show("a sidecar that is gone", sidecartest.SampleIntegration)
	return g.out.String()
}

// follow follows the changes over a line that breaks, before the first event and
// after it.
func (g *guideTour) follow(p *process, with func(api, key string)) {
	t := g.t
	line := newBrittle(t, p.api)
	with(line.addr, "canary-boss")
	c := g.command("--changes", "3")
	var out testkit.Buffer
	c.Stdout, c.Stderr = &out, os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the stream to begin", func() bool { return strings.Contains(line.seen(), "\nid: ") })
	told := func(n int) func() bool {
		return func() bool { return strings.Count(out.String(), "\n") >= n }
	}
	line.cut()
	deliver(t, p, "enabled.json")
	testkit.Eventually(t, "what happened before the first event", told(1))
	deliver(t, p, "canceled.json")
	testkit.Eventually(t, "the second", told(2))
	line.cut()
	deliver(t, p, "reinstated.json")
	if err := c.Wait(); err != nil {
		t.Errorf("following: %v", err)
	}
	sidecartest.Silent(t, "what is followed", out.String())
	fmt.Fprintf(&g.out, "=== over a line that breaks\n%s\n", &out)
}

// brittle carries connections to an address, until it is cut.
type brittle struct {
	addr  string
	mu    sync.Mutex
	conns []net.Conn
	back  testkit.Buffer // what came back
}

// newBrittle opens one. The end of the test closes it and waits.
func newBrittle(t *testing.T, to string) *brittle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &brittle{addr: l.Addr().String()}
	var ending atomic.Bool
	var work sync.WaitGroup
	work.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.DialTimeout("tcp", to, 10*time.Second)
			if err != nil {
				in.Close()
				continue
			}
			b.mu.Lock()
			b.conns = append(b.conns, in, out)
			b.mu.Unlock()
			if ending.Load() {
				b.cut()
			}
			work.Go(func() { _, _ = io.Copy(out, in); out.Close() })
			work.Go(func() { _, _ = io.Copy(io.MultiWriter(in, &b.back), out); in.Close() })
		}
	})
	t.Cleanup(func() {
		ending.Store(true)
		l.Close()
		b.cut()
		work.Wait()
	})
	return b
}

func (b *brittle) seen() string { return b.back.String() }

// cut ends all connections. New ones are carried again.
func (b *brittle) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		c.Close()
	}
	b.conns = nil
}
