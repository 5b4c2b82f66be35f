package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/simulation"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// TestScripts runs what a user would type: the scripts of testdata/script, each in a
// directory of its own. The verb is a process of its own, whose output is looked
// through for secrets every time. Beside what testscript has there are
//
//	[!] keyrack ARG... [< FILE]       runs it to its end; "!" if it should fail
//	code N                            the exit code of the latest one
//	start NAME keyrack ARG...         runs it in the background, into NAME.out and NAME.err
//	await FILE REGEXP                 waits until a file matches
//	end NAME                          interrupts it, and wants exit code 0
//	ready                             waits until the API answers
//	key FILE                          has the verbs use the key of the API in a file
//	mews                              a Connector API at $MEWS, with one hotel
//	subscribe STORE NAME              a program with a subscription on a store
//	fail STORE NAME                   one whose handler fails at every change for good
//
// Secrets and tokens of the scripts have "canary" in them.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *testkit.Update,
		Setup:               setUpScript,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"keyrack": scriptKeyrack, "code": scriptCode, "start": scriptStart, "await": scriptAwait,
			"end": scriptEnd, "ready": scriptReady, "mews": scriptMews, "subscribe": scriptSubscribe,
			"key": scriptKey, "fail": scriptFail,
		},
	})
}

// scene is what a script's commands know of each other.
type scene struct {
	code    int // of the latest verb; -1 before
	running map[string]*exec.Cmd
	tokens  []string // that nobody should read, beside canaries
}

type sceneKey struct{}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value(sceneKey{}).(*scene) }

func setUpScript(env *testscript.Env) error {
	one := &scene{code: -1, running: map[string]*exec.Cmd{}}
	// What trigger makes up begins with the id, and simulate's hotels are those of
	// their seeds.
	one.tokens = append(one.tokens, strings.ReplaceAll(sampleIntegration, "-", ""))
	for seed := range uint64(12) {
		world := mewstest.New(&mewstest.Options{Seed: seed, Manual: true})
		for n := range 20 {
			one.tokens = append(one.tokens, strings.ToLower(world.Connect(simulation.HotelName(n+1)).Token()))
		}
	}
	env.Values[sceneKey{}] = one
	webhooks, api, mews := freeAddr(), freeAddr(), freeAddr()
	for name, value := range deskEnvironment(webhooks, api) {
		env.Setenv(name, value)
	}
	env.Setenv("MEWS_ADDR", mews)
	env.Setenv("MEWS", "http://"+mews)
	return nil
}

// deskEnvironment has serve and those who ask it meet, away from what this machine
// runs in earnest.
func deskEnvironment(webhooks, api string) map[string]string {
	return map[string]string{
		asCommand:              "1",
		secretVariable:         sidecartest.Secret,
		"KEYRACK_WEBHOOK_ADDR": webhooks,
		"KEYRACK_API_ADDR":     api,
		"KEYRACK_STORE":        "memory",
		"KEYRACK_TO":           "http://" + webhooks + keyrack.DefaultPath,
		"KEYRACK_API":          "http://" + api,
		"NO_COLOR":             "",
	}
}

var handedOut struct {
	mu    sync.Mutex
	addrs map[string]bool
}

// freeAddr returns an address that nobody listens at, and that no other script got.
func freeAddr() string {
	handedOut.mu.Lock()
	defer handedOut.mu.Unlock()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		addr := l.Addr().String()
		l.Close()
		if !handedOut.addrs[addr] {
			if handedOut.addrs == nil {
				handedOut.addrs = map[string]bool{}
			}
			handedOut.addrs[addr] = true
			return addr
		}
	}
}

// verbOf makes the process of a verb.
func verbOf(ts *testscript.TestScript, args []string) *exec.Cmd {
	binary, err := os.Executable()
	ts.Check(err)
	c := exec.Command(binary, args...)
	c.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCOVERDIR"} {
		c.Env = append(c.Env, name+"="+os.Getenv(name))
	}
	for _, name := range append(knownVariables(newRoot(func(string) string { return "" })),
		asCommand, "KEYRACK_CONFIG", "NO_COLOR", "SOURCE_DATE_EPOCH") {
		if value := ts.Getenv(name); value != "" {
			c.Env = append(c.Env, name+"="+value)
		}
	}
	return c
}

// quietly fails where a text has a secret in it. A key of the API is shown once, by
// the verb that makes it.
func quietly(ts *testscript.TestScript, args []string, text string) {
	forbidden := append([]string{"canary"}, sceneOf(ts).tokens...)
	if len(args) == 0 || args[0] != "apikey" {
		forbidden = append(forbidden, "krk_")
	}
	for _, f := range forbidden {
		if strings.Contains(strings.ToLower(text), f) {
			ts.Fatalf("keyrack %s shows what is secret:\n%s", strings.Join(args, " "), text)
		}
	}
}

func scriptKeyrack(ts *testscript.TestScript, neg bool, args []string) {
	c := verbOf(ts, nil)
	if n := len(args); n > 1 && args[n-2] == "<" {
		c.Stdin = strings.NewReader(ts.ReadFile(args[n-1]))
		args = args[:n-2]
	}
	c.Args = append(c.Args[:1], args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	ts.Check(c.Start())
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	var err error
	select {
	case err = <-done:
	case <-time.After(testkit.Patience):
		_ = c.Process.Kill()
		<-done
		ts.Fatalf("keyrack %s does not end; stderr:\n%s", strings.Join(args, " "), &stderr)
	}
	_, _ = ts.Stdout().Write(stdout.Bytes())
	_, _ = ts.Stderr().Write(stderr.Bytes())
	quietly(ts, args, stdout.String()+stderr.String())
	sceneOf(ts).code = c.ProcessState.ExitCode()
	if neg == (err == nil) {
		ts.Fatalf("exit code %d", c.ProcessState.ExitCode())
	}
}

func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: code N")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := sceneOf(ts).code; (got == want) == neg {
		ts.Fatalf("exit code %d", got)
	}
}

func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || args[1] != "keyrack" {
		ts.Fatalf("usage: start NAME keyrack ARG...")
	}
	name, args := args[0], args[2:]
	c := verbOf(ts, args)
	files := map[string]*os.File{}
	for _, end := range []string{".out", ".err"} {
		f, err := os.Create(ts.MkAbs(name + end))
		ts.Check(err)
		files[end] = f
		ts.Defer(func() { f.Close() })
	}
	c.Stdout, c.Stderr = files[".out"], files[".err"]
	ts.Check(c.Start())
	s := sceneOf(ts)
	s.running[name] = c
	ts.Defer(func() {
		if s.running[name] == c {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	})
}

func scriptEnd(ts *testscript.TestScript, neg bool, args []string) {
	s := sceneOf(ts)
	if neg || len(args) != 1 || s.running[args[0]] == nil {
		ts.Fatalf("usage: end NAME")
	}
	name := args[0]
	c := s.running[name]
	delete(s.running, name)
	_ = c.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	err := c.Wait()
	quietly(ts, c.Args[1:], ts.ReadFile(name+".out")+ts.ReadFile(name+".err"))
	s.code = c.ProcessState.ExitCode()
	if err != nil {
		ts.Fatalf("%v; stderr:\n%s", err, ts.ReadFile(name+".err"))
	}
}

func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	for end := time.Now().Add(testkit.Patience); !re.MatchString(ts.ReadFile(args[0])); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("%s has no match:\n%s", args[0], ts.ReadFile(args[0]))
		}
	}
}

func scriptReady(ts *testscript.TestScript, _ bool, _ []string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: testkit.Patience}
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(10 * time.Millisecond) {
		// Any answer will do: with keys there is none without one.
		resp, err := client.Get(ts.Getenv("KEYRACK_API") + "/livez")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%v", err)
		}
	}
}

func scriptKey(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(client.KeyVariable, strings.TrimSpace(ts.ReadFile(args[0])))
}

// mewsSeed is that of the hotel in the scripts' Connector API.
const mewsSeed = 11

// scriptMews serves a Connector API. Its hotel's token, whose id is $HOTEL, is in the
// file token.txt, and a file of it for import is hotel.jsonl.
func scriptMews(ts *testscript.TestScript, _ bool, _ []string) {
	world := mewstest.New(&mewstest.Options{Seed: mewsSeed, Manual: true, ClientToken: lifecycle.NewToken("canary-client-token")})
	hotel := world.Connect("Alpenrose")
	l, err := net.Listen("tcp", ts.Getenv("MEWS_ADDR"))
	ts.Check(err)
	server := &http.Server{Handler: world.Connector()}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	ts.Defer(func() { server.Close(); <-done })
	ts.Setenv("HOTEL", hotel.ID())
	sceneOf(ts).tokens = append(sceneOf(ts).tokens, strings.ToLower(hotel.Token()))
	ts.Check(os.WriteFile(ts.MkAbs("token.txt"), []byte(hotel.Token()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("hotel.jsonl"), fmt.Appendf(nil, "{\"integration\":%q,\"token\":%q}\n", hotel.ID(), hotel.Token()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("wrong.jsonl"), []byte(`{"integration":"00000000-0000-4000-8000-000000000001","token":"canary-wrong"}`+"\n"), 0o600))
}

// scriptSubscribe lets a program subscribe to a store's changes, and ends it.
func scriptSubscribe(ts *testscript.TestScript, _ bool, args []string) {
	subscribe(ts, args, nobody, nil, func(atrest.Subscription) bool { return true })
}

// scriptFail lets a program fail at all of a store's changes, and ends it.
func scriptFail(ts *testscript.TestScript, _ bool, args []string) {
	refuse := func(context.Context, keyrack.Change) error { return errors.New("made up") }
	subscribe(ts, args, refuse, &keyrack.SubscribeOptions{Kinds: []keyrack.ChangeKind{keyrack.ChangeAny}, FromStart: true, Attempts: 1}, func(s atrest.Subscription) bool { return s.Dead >= 2 })
}

// subscribe runs a program with a subscription until the subscription stands as it should.
func subscribe(ts *testscript.TestScript, args []string, handler func(context.Context, keyrack.Change) error, o *keyrack.SubscribeOptions, done func(atrest.Subscription) bool) {
	if len(args) != 2 {
		ts.Fatalf("usage: subscribe STORE NAME")
	}
	d, err := storage.Parse("sqlite:" + ts.MkAbs(args[0]))
	ts.Check(err)
	ring, err := storage.KeySource{}.Load(d, true)
	ts.Check(err)
	s, err := d.Open(context.Background())
	ts.Check(err)
	rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: ring.Ring})
	ts.Check(err)
	ts.Check(rack.Subscribe(args[1], handler, o))
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(10 * time.Millisecond) {
		all, err := atrest.Subscriptions(context.Background(), s)
		ts.Check(err)
		if len(all) > 0 && done(all[0]) {
			break
		}
		if time.Now().After(end) {
			ts.Fatalf("the subscription does not get there: %+v", all)
		}
	}
	ts.Check(errors.Join(rack.Close(), s.Close()))
}

// nobody is a handler that is content with everything.
func nobody(context.Context, keyrack.Change) error { return nil }
