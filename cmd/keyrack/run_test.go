package main

import (
	"context"
	"maps"
	"os"
	"regexp"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// asCommand makes this test binary the command itself, for tests of signals.
const asCommand = "KEYRACK_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	testkit.Main(m)
}

// process is the command, run within the test: what a shell would see of it.
type process struct {
	stdout, stderr testkit.Buffer
	signal         context.CancelFunc
	code           chan int

	webhooks, api string // where serve listens
}

// start runs the command. The end of the test is a signal to it, and waits.
func start(t *testing.T, env map[string]string, args ...string) *process {
	t.Helper()
	ctx, signal := context.WithCancel(context.Background())
	p := &process{signal: signal, code: make(chan int, 1)}
	go func() {
		p.code <- run(ctx, args, strings.NewReader(""), &p.stdout, &p.stderr, func(name string) string { return env[name] })
	}()
	t.Cleanup(func() {
		signal()
		p.wait(t)
	})
	return p
}

// wait returns the exit code.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-p.code:
		p.code <- code // for the next call
		return code
	case <-time.After(testkit.Patience):
		var stacks testkit.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		t.Fatalf("the command does not end; stdout:\n%s\nstderr:\n%s\n%s", &p.stdout, &p.stderr, &stacks)
		return -1
	}
}

// waitFor waits until stderr matches, and returns the submatches.
func (p *process) waitFor(t *testing.T, expression string) []string {
	t.Helper()
	re := regexp.MustCompile(expression)
	for end := time.Now().Add(testkit.Patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if found := re.FindStringSubmatch(p.stderr.String()); found != nil {
			return found
		}
		select {
		case code := <-p.code:
			p.code <- code
			t.Fatalf("the command ended with %d before it said %q; stderr:\n%s", code, expression, &p.stderr)
		default:
		}
	}
	t.Fatalf("stderr has no %q:\n%s", expression, &p.stderr)
	return nil
}

// serving starts serve on free ports.
func serving(t *testing.T, env map[string]string, args ...string) *process {
	t.Helper()
	all := map[string]string{
		secretVariable: sidecartest.Secret, "KEYRACK_STORE": "memory", "KEYRACK_WEBHOOK_ADDR": "127.0.0.1:0", "KEYRACK_API_ADDR": "127.0.0.1:0",
	}
	maps.Copy(all, env)
	p := start(t, all, append([]string{"serve"}, args...)...)
	p.webhooks = p.waitFor(t, `"receiving webhooks" url=http://([^/]+)/`)[1]
	p.api = p.waitFor(t, `"answering questions" url=http://([^/]+)/`)[1]
	return p
}

// once runs the command to its end.
func once(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := start(t, env, args...)
	code = p.wait(t)
	return code, p.stdout.String(), p.stderr.String()
}
