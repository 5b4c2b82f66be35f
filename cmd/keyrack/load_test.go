package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// long reports whether the run may take its time.
var long = os.Getenv("KEYRACK_LONG") != ""

// caller is a connection on which the same client asks again and again, as cheaply
// as can be.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
}

func newCaller(t testing.TB, addr string) *caller {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	return &caller{conn, bufio.NewReader(conn)}
}

// do sends a request, reads all of the response, and returns its status.
func (c *caller) do(request []byte) (status int, err error) {
	_ = c.conn.SetDeadline(time.Now().Add(testkit.Patience))
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	length := 0
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if first {
			if len(line) < 12 {
				return 0, errors.New("not HTTP")
			}
			status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length = 0
			for _, digit := range bytes.TrimSpace(value) {
				length = 10*length + int(digit-'0')
			}
		}
		if len(line) <= 2 {
			break
		}
	}
	_, err = c.in.Discard(length)
	return status, err
}

// request writes a request out.
func request(method, target, media, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		method, target, media, len(body), body)
}

// TestHalfOpen: 1,000 connections on the webhook listener that never finish their
// request do not delay the good ones.
func TestHalfOpen(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens 1,000 connections")
	}
	const (
		halfOpen   = 1000
		deliveries = 300
		rounds     = 3 // the machine has other things to do as well
	)
	bound := 2 * time.Second // that nothing waits for the half-open ones to time out
	if os.Getenv("KEYRACK_LONG") != "" {
		bound = 100 * time.Millisecond // on a machine that is quiet
	}
	p := serving(t, nil)
	var idle []net.Conn
	defer func() {
		for _, conn := range idle {
			conn.Close()
		}
	}()
	for i := range halfOpen {
		conn, err := net.DialTimeout("tcp", p.webhooks, testkit.Patience)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		idle = append(idle, conn)
		// Some have said nothing, some half of a header, some half of a body.
		fmt.Fprint(conn, []string{
			"", "POST /webhooks/mews?To", "POST /webhooks/mews?Token=" + sidecartest.Secret + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
		}[i%3])
	}
	c := newCaller(t, p.webhooks)
	defer c.conn.Close()
	body, err := demo.Body("created.json")
	if err != nil {
		t.Fatal(err)
	}
	good := request(http.MethodPost, "/webhooks/mews?Token="+sidecartest.Secret, "application/json", string(body))
	for round := 1; ; round++ {
		took := make([]time.Duration, deliveries)
		for i := range took {
			began := time.Now()
			status, err := c.do(good)
			took[i] = time.Since(began)
			if err != nil || status != http.StatusNoContent {
				t.Fatalf("a good delivery: %d, %v", status, err)
			}
		}
		slices.Sort(took)
		p99 := took[deliveries*99/100]
		t.Logf("round %d: median %v, p99 %v, longest %v", round, took[deliveries/2], p99, took[deliveries-1])
		if p99 <= bound {
			return
		}
		if round == rounds {
			t.Fatalf("%d half-open connections delay deliveries: p99 %v, want at most %v", halfOpen, p99, bound)
		}
	}
}

// TestMixedLoad: under a storm of wrong secrets, bad bodies and good ones, no good
// one is lost, each gets its own status, and memory stays flat.
func TestMixedLoad(t *testing.T) {
	requests := 5_000
	if long {
		requests = 100_000
	}
	const callers = 16
	p := serving(t, nil)
	type kind struct {
		name    string
		request func(i int) []byte
		status  int
	}
	path := "/webhooks/mews?Token=" + sidecartest.Secret
	wrong := "/webhooks/mews?Token=" + rand.Text()
	created := `{"Action":"IntegrationCreated","Data":{"Enterprise":{"Id":"e%d","Name":"E"},"AccessToken":"token-%d","CreatedUtc":"2026-01-01T00:00:00Z","IsEnabled":true,"Integration":{"Id":"i%d","Name":"I"}}}`
	kinds := []kind{
		{"good", func(i int) []byte {
			return request(http.MethodPost, path, "application/json", fmt.Sprintf(created, i%100, i, i))
		}, http.StatusNoContent},
		{"wrong secret", func(int) []byte { return request(http.MethodPost, wrong, "application/json", "{}") }, http.StatusUnauthorized},
		{"not JSON", func(i int) []byte { return request(http.MethodPost, path, "application/json", fmt.Sprintf("{%d", i)) }, http.StatusBadRequest},
		{"another method", func(int) []byte { return request(http.MethodGet, path, "text/plain", "") }, http.StatusMethodNotAllowed},
		{"another path", func(int) []byte { return request(http.MethodPost, "/", "text/plain", "") }, http.StatusNotFound},
	}
	var good, next atomic.Int64
	var heap struct{ half, end uint64 }
	// storm sends the requests up to a number, from all callers at once.
	storm := func(until int) {
		var done sync.WaitGroup
		for range callers {
			done.Go(func() {
				c := newCaller(t, p.webhooks)
				defer func() { c.conn.Close() }()
				for {
					i := int(next.Add(1)) - 1
					if i >= until {
						return
					}
					k := kinds[mathrand.N(len(kinds))]
					if i%100 == 0 {
						k = kinds[0] // a few, so that memory has little to grow by
					} else if k.name == "good" {
						k = kinds[1+mathrand.N(len(kinds)-1)]
					}
					status, err := c.do(k.request(i))
					if err != nil || status != k.status {
						t.Errorf("%s: %d, %v, want %d", k.name, status, err, k.status)
						return
					}
					if k.status == http.StatusNoContent {
						good.Add(1)
					}
				}
			})
		}
		done.Wait()
	}
	storm(requests / 2)
	heap.half = inUse()
	next.Store(int64(requests / 2))
	storm(requests)
	heap.end = inUse()
	var listed int64
	for after := ""; ; {
		target := api.IntegrationsPath + "?limit=1000"
		if after != "" {
			target += "&after=" + after
		}
		one := sidecartest.Read[api.IntegrationsPage](t, sidecartest.Call(t, p.api, "", http.MethodGet, target, "", ""))
		listed += int64(len(one.Integrations))
		if after = one.Next; after == "" {
			break
		}
	}
	if listed != good.Load() || listed < int64(requests/100) {
		t.Errorf("%d good deliveries were answered 204, and %d integrations are there", good.Load(), listed)
	}
	const room = 8 << 20
	t.Logf("%d requests, %d of them good, none of those lost; the heap: %d KiB at half time, %d KiB in the end", requests, good.Load(), heap.half>>10, heap.end>>10)
	if heap.end > heap.half+room {
		t.Errorf("the heap grew from %d to %d bytes over the second half", heap.half, heap.end)
	}
	if logged := strings.Count(p.stderr.String(), "request refused"); logged > 200 {
		t.Errorf("%d lines about refusals", logged)
	}
}

// inUse is the heap that is in use, in bytes.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
