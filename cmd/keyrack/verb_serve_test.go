package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// TestServeRefuses: what makes no sense ends the command before it listens,
// and the error says what to do.
func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	with := map[string]string{secretVariable: sidecartest.Secret, "KEYRACK_WEBHOOK_ADDR": "127.0.0.1:0", "KEYRACK_API_ADDR": "127.0.0.1:0"}
	tests := []struct {
		name string
		env  map[string]string
		args string
		code int
		say  string
	}{
		{"no secret", nil, "", exitUsage, "export KEYRACK_WEBHOOK_SECRET="},
		{"the previous secret alone", map[string]string{previousVariable: sidecartest.Secret}, "", exitUsage, "without KEYRACK_WEBHOOK_SECRET"},
		{"a secret and none", with, "--without-secret", exitUsage, "remove one of them"},
		{"a secret with a line end", map[string]string{secretVariable: sidecartest.Secret + "\n"}, "", exitUsage, "white space"},
		{"a secret as a flag", with, "--webhook-secret=canary", exitUsage, "unknown flag: --webhook-secret"},
		{"a secret as an argument", with, "canary", exitUsage, "takes no arguments"},
		{"the API for everybody", with, "--api-addr :8081", exitUsage, "Listen on loopback, such as 127.0.0.1:8081, or create a key"},
		{"the API for everybody, in IPv6", with, "--api-addr [::]:8081", exitUsage, "Listen on loopback"},
		{"the API for the network", with, "--api-addr 192.0.2.7:8081", exitUsage, "Listen on loopback"},
		{"the API nowhere", with, "--api-addr 8081", exitUsage, "try 127.0.0.1:8081"},
		{"another store", with, "--store mysql://canary@localhost", exitUsage, "--store must be sqlite:PATH, postgres://HOST/DATABASE or memory"},
		{"a store without a path", with, "--store sqlite:", exitUsage, "--store must be sqlite:PATH"},
		{"PostgreSQL without a key", with, "--store postgres://canary:canary@127.0.0.1:1/canary", exitUsage, "export KEYRACK_SEALING_KEY="},
		{"a sealing key that is none", map[string]string{secretVariable: sidecartest.Secret, storage.KeyVariable: "canary"}, "--webhook-addr 127.0.0.1:0 --api-addr 127.0.0.1:0", exitUsage, "make one with: openssl rand -base64 32"},
		{"a sealing key as a flag", with, "--sealing-key=canary", exitUsage, "unknown flag: --sealing-key"},
		{"a key file that is not there", with, "--sealing-key-file testdata/none.key", exitError, "no such file"},
		{"Mews without a name and a token", with, "--connector-url https://api.mews.com", exitUsage, "--client-name (KEYRACK_CLIENT_NAME) and KEYRACK_CLIENT_TOKEN is missing"},
		{"Mews without an address", map[string]string{secretVariable: sidecartest.Secret, clientTokenVariable: "canary"}, "--client-name Spa", exitUsage, "--connector-url (KEYRACK_CONNECTOR_URL) is missing"},
		{"a rate of probes that nobody sends", with, "--probe-rate 5", exitUsage, "--probe-rate (KEYRACK_PROBE_RATE) is set, and Mews is not asked"},
		{"Mews in clear", map[string]string{secretVariable: sidecartest.Secret, clientTokenVariable: "canary"}, "--client-name Spa --connector-url http://api.mews.com", exitUsage, "plain http to another machine"},
		{"a client token as a flag", with, "--client-token=canary", exitUsage, "unknown flag: --client-token"},
		{"no age", with, "--max-age -1s", exitUsage, "--max-age is -1s; it must be from 1ms"},
		{"keys that are none", map[string]string{secretVariable: sidecartest.Secret, api.KeysVariable: "canary"}, "", exitUsage, "KEYRACK_API_KEYS, line 1: a line must hold a name, scopes and a SHA-256"},
		{"a file of keys that is not there", with, "--api-keys-file testdata/none", exitError, "no such file"},
		{"no horizon", with, "--horizon 0s", exitUsage, "leave it at 30m0s"},
		{"a horizon without a unit", with, "--horizon 30", exitUsage, "missing unit"},
		{"a relative path", with, "--webhook-path webhooks", exitUsage, "such as /webhooks/mews"},
		{"a path and a query", with, "--webhook-path /webhooks?Token=canary", exitUsage, "such as /webhooks/mews"},
		{"a path on a host", with, "--webhook-path //webhooks", exitUsage, "such as /webhooks/mews"},
		{"a bad variable", map[string]string{secretVariable: sidecartest.Secret, "KEYRACK_HORIZON": "canary"}, "", exitUsage, "KEYRACK_HORIZON is not a valid value of --horizon, a duration"},
		{"a port that is taken", with, "--webhook-addr " + taken.Addr().String(), exitError, "choose another address with --webhook-addr or KEYRACK_WEBHOOK_ADDR"},
		{"a port of the API's that is taken", with, "--webhook-addr 127.0.0.1:0 --api-addr " + taken.Addr().String(), exitError, "--api-addr or KEYRACK_API_ADDR"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := once(t, test.env, append([]string{"serve"}, strings.Fields(test.args)...)...)
			if code != test.code || stdout != "" || !strings.Contains(stderr, test.say) {
				t.Errorf("exit code %d, want %d; stderr should have %q:\n%s", code, test.code, test.say, stderr)
			}
			if help := strings.Contains(stderr, "Run 'keyrack serve --help'"); help != (code == exitUsage) {
				t.Errorf("points to the help: %v", help)
			}
			sidecartest.Silent(t, "stderr", stderr)
		})
	}
}

// TestServeSettings: a flag comes before its variable, which comes before the default.
func TestServeSettings(t *testing.T) {
	p := serving(t, map[string]string{"KEYRACK_WEBHOOK_PATH": "/variable", "KEYRACK_HORIZON": "1h"}, "--webhook-path", "/flag")
	p.waitFor(t, `url=http://127\.0\.0\.1:[1-9]\d*/flag horizon=1h0m0s`)
	if code := post(t, p.webhooks, "/flag?Token="+sidecartest.Secret, "{}"); code != http.StatusNoContent {
		t.Errorf("the path of the flag answers %d", code)
	}
	if code := post(t, p.webhooks, "/variable?Token="+sidecartest.Secret, "{}"); code != http.StatusNotFound {
		t.Errorf("the path of the variable answers %d", code)
	}
}

// TestServePolicy: what somebody knows of Mews shapes verdicts.
func TestServePolicy(t *testing.T) {
	r := rackSettings{reinstated: "sets", canceled: "usable", options: keyrack.Options{
		Horizon: time.Hour, ProbeRate: 1, Policy: keyrack.Policy{MaxAge: time.Hour, Levels: 2, CanceledFor: time.Hour},
	}}
	want := keyrack.Policy{
		MaxAge: time.Hour, Levels: 2, Reinstated: lifecycle.Yes, Canceled: lifecycle.CanceledUsable, CanceledFor: time.Hour,
	}
	if err := r.check(); err != nil || r.options.Policy != want {
		t.Errorf("%+v, %v", r.options.Policy, err)
	}
}

// TestServeRanges: a setting that serve accepts, the Rack accepts, and the least and the
// most of each is what the Rack has.
func TestServeRanges(t *testing.T) {
	good := func() settings {
		return settings{rackSettings: rackSettings{options: keyrack.Options{Horizon: defaultHorizon, ProbeRate: defaultProbeRate}}}
	}
	for _, c := range []struct {
		says string // "" where it is accepted
		set  func(*settings)
	}{
		{"", func(*settings) {}},
		{"", func(s *settings) { s.options.Horizon = leastTime }},
		{"", func(s *settings) { s.options.Horizon = mostLate }},
		{"--horizon is 1ns; it must be from 1ms to 720h0m0s", func(s *settings) { s.options.Horizon = 1 }},
		{"--horizon is 0s;", func(s *settings) { s.options.Horizon = 0 }},
		{"--horizon is 720h0m0.000000001s;", func(s *settings) { s.options.Horizon = mostLate + 1 }},
		{"", func(s *settings) { s.options.Policy.MaxAge = leastTime }},
		{"", func(s *settings) { s.options.Policy.MaxAge = mostAge }},
		{"--max-age is 1ns; it must be from 1ms to 87600h0m0s", func(s *settings) { s.options.Policy.MaxAge = 1 }},
		{"--max-age is -1ns;", func(s *settings) { s.options.Policy.MaxAge = -1 }},
		{"--max-age is 87600h0m0.000000001s;", func(s *settings) { s.options.Policy.MaxAge = mostAge + 1 }},
		{"", func(s *settings) { s.options.Policy.MaxAge, s.connector.url = leastAsked, "http://127.0.0.1:1" }},
		{"--max-age is 9.999999999s; it must be from 10s", func(s *settings) { s.options.Policy.MaxAge, s.connector.url = leastAsked-1, "http://127.0.0.1:1" }},
		{"", func(s *settings) { s.options.ProbeRate = leastProbeRate }},
		{"", func(s *settings) { s.options.ProbeRate = mostProbeRate }},
		{"--probe-rate is NaN; it must be from 0.000012", func(s *settings) { s.options.ProbeRate = math.NaN() }},
		{"--probe-rate is 0;", func(s *settings) { s.options.ProbeRate = 0 }},
		{"--probe-rate is 1e-300;", func(s *settings) { s.options.ProbeRate = 1e-300 }},
		{"--probe-rate is +Inf;", func(s *settings) { s.options.ProbeRate = math.Inf(1) }},
		{"--probe-rate is 1000.1;", func(s *settings) { s.options.ProbeRate = 1000.1 }},
	} {
		s := good()
		c.set(&s)
		err := s.checkRanges()
		if c.says == "" && err != nil || c.says != "" && (codeFor(err) != 2 || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%q: %v", c.says, err)
		}
		options := s.options
		options.Sealer = seal.Ephemeral()
		if s.connector.url != "" {
			client, err := connector.New(s.connector.url, keyrack.NewToken("canary"), "Test 1.0", nil)
			if err != nil {
				t.Fatal(err)
			}
			options.Prober = client
		} else if c.says == "" {
			options.ProbeRate = 0 // as when a Rack is opened
		}
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), &options)
		if rack != nil {
			rack.Close()
		}
		if refused := errors.Is(err, keyrack.ErrInvalid); refused != (c.says != "") && s.options.Horizon != 0 && s.options.ProbeRate != 0 { // 0 is the Rack's default
			t.Errorf("%q: the Rack says %v", c.says, err)
		}
	}
}

// TestServeSecrets: two secrets are accepted while one replaces the other.
func TestServeSecrets(t *testing.T) {
	p := serving(t, map[string]string{previousVariable: "canary-previous"})
	for query, want := range map[string]int{
		sidecartest.Secret: http.StatusNoContent, "canary-previous": http.StatusNoContent, "canary-other": http.StatusUnauthorized,
	} {
		if code := post(t, p.webhooks, "/webhooks/mews?Token="+query, "{}"); code != want {
			t.Errorf("%s: %d, want %d", query, code, want)
		}
	}
	sidecartest.Silent(t, "stderr", p.stderr.String())
}

func TestServeWithoutSecret(t *testing.T) {
	p := serving(t, map[string]string{secretVariable: "", "KEYRACK_WITHOUT_SECRET": "true"})
	p.waitFor(t, "level=WARN msg=\"webhooks are accepted from anybody")
	if code := post(t, p.webhooks, "/webhooks/mews", "{}"); code != http.StatusNoContent {
		t.Errorf("answered %d", code)
	}
}

// TestShutdown: a signal refuses new connections, and a delivery that has begun
// is still taken in. Until it is, the API says that we are going.
func TestShutdown(t *testing.T) {
	p := serving(t, nil)
	delivery := begin(t, p.webhooks)
	p.signal()
	p.waitFor(t, "shutting down")
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", p.webhooks)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatal("new connections are still accepted")
		}
	}
	if answer := talk(t, p.api, "GET /readyz HTTP/1.1\nHost: ADDRESS\n"); !strings.HasPrefix(answer, "HTTP/1.1 503 ") {
		t.Errorf("readyz: %s", answer)
	}
	if answer := talk(t, p.api, "GET /livez HTTP/1.1\nHost: ADDRESS\n"); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Errorf("livez: %s", answer)
	}
	if status := finish(t, delivery); status != http.StatusNoContent {
		t.Errorf("the delivery was answered %d", status)
	}
	if code := p.wait(t); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, &p.stderr)
	}
	p.waitFor(t, "msg=delivery action=IntegrationCreated .* outcome=applied ")
}

// TestSignals does the same to a process.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM")
	}
	for _, test := range []struct {
		name   string
		second bool
	}{{"once", false}, {"twice", true}} {
		t.Run(test.name, func(t *testing.T) {
			var p process
			cmd := exec.Command(os.Args[0], "serve", "--webhook-addr=127.0.0.1:0", "--api-addr=127.0.0.1:0")
			cmd.Env = append(os.Environ(), asCommand+"=1", secretVariable+"="+sidecartest.Secret, "KEYRACK_STORE=memory")
			cmd.Stderr = &p.stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			defer func() { _ = cmd.Process.Kill() }()

			delivery := begin(t, p.waitFor(t, `"receiving webhooks" url=http://([^/]+)/`)[1])
			p.waitFor(t, "answering questions")
			_ = cmd.Process.Signal(syscall.SIGTERM)
			p.waitFor(t, "shutting down")
			if test.second {
				_ = cmd.Process.Signal(syscall.SIGTERM)
			} else if status := finish(t, delivery); status != http.StatusNoContent {
				t.Errorf("the delivery was answered %d", status)
			}
			select {
			case <-ended:
			case <-time.After(httpserver.ShutdownTimeout / 2):
				t.Fatal("the process does not end")
			}
			if code := cmd.ProcessState.ExitCode(); !test.second && code != exitOK || test.second && code == exitOK {
				t.Errorf("%v:\n%s", cmd.ProcessState, &p.stderr)
			}
		})
	}
}

// post delivers a body, and returns the status of the answer.
func post(t *testing.T, addr, target, body string) int {
	t.Helper()
	answer := talk(t, addr, "POST "+target+" HTTP/1.1\nHost: ADDRESS\n\n"+body)
	var status int
	if _, err := fmt.Sscanf(answer, "HTTP/1.1 %d", &status); err != nil {
		t.Fatal(err)
	}
	return status
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
	return conn
}

// half of a delivery.
type half struct {
	conn io.ReadWriter
	rest []byte
}

// begin sends half of a delivery, and returns once the receiver is at work on it.
func begin(t *testing.T, addr string) half {
	t.Helper()
	body, err := demo.Body("created.json")
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, addr)
	in := bufio.NewReader(conn)
	// The receiver asks for the body when it reads it.
	fmt.Fprintf(conn, "POST /webhooks/mews?Token=%s HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		sidecartest.Secret, addr, len(body))
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatal("the receiver does not read the body: ", line, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	n := len(body) / 2
	if _, err := conn.Write(body[:n]); err != nil {
		t.Fatal(err)
	}
	return half{struct {
		io.Reader
		io.Writer
	}{in, conn}, body[n:]}
}

// finish sends the other half, and returns the status of the answer.
func finish(t *testing.T, h half) int {
	t.Helper()
	if _, err := h.conn.Write(h.rest); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(h.conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
