//go:build unix

package keyrack_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// What a delivery costs the server, beside a handler that only reads the body:
// at most 1.5 times its CPU time. Both run in a process of their own, behind
// net/http on loopback with keep-alive, and say how much CPU time their process
// has used, user and system, the collector included. So the client's share is
// in neither. Requests come on several connections at once, one after the other
// on each, in batches that take turns; x-floor compares the cheapest batches, which
// is what it costs where nobody else drives the processor's caches, and
// x-floor-median all of them.
func BenchmarkHandler(b *testing.B) {
	for _, connections := range []int{1, 8} {
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) { benchmarkHandler(b, connections) })
	}
}

func benchmarkHandler(b *testing.B, connections int) {
	floor, subject := serve(b, "floor", connections), serve(b, "keyrack", connections)
	const hotels, batch = 200, 400
	var bodies [][]byte
	for i := range hotels {
		name := fmt.Sprint("hotel ", i)
		bodies = append(bodies, creation(name, name, lifecycle.Yes))
	}
	floor.send(b, bodies)
	subject.send(b, bodies)
	// From then on what Mews sends most: toggles, with a copy now and then.
	for i := range batch {
		action := lifecycle.IntegrationDisabled
		if i/hotels%2 == 1 {
			action = lifecycle.IntegrationEnabled
		}
		bodies = append(bodies, webhook(action, fmt.Sprint("hotel ", (i-i/10)%hotels), nil))
	}
	bodies = bodies[hotels:]
	var floors, subjects, ratios []float64
	for b.Loop() {
		f, s := floor.send(b, bodies), subject.send(b, bodies)
		floors, subjects = append(floors, float64(f)/batch), append(subjects, float64(s)/batch)
		ratios = append(ratios, float64(s)/float64(f))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(slices.Min(floors)/1000, "floor-µs-CPU")
	b.ReportMetric(slices.Min(subjects)/1000, "µs-CPU")
	b.ReportMetric(slices.Min(subjects)/slices.Min(floors), "x-floor")
	b.ReportMetric(testkit.Median(ratios), "x-floor-median")
}

// instance is a server in a process of its own.
type instance struct {
	conns []net.Conn
	ask   io.Writer
	said  *bufio.Reader
}

// serve starts this very binary as a server of one kind.
func serve(b *testing.B, kind string, connections int) *instance {
	cmd := exec.Command(os.Args[0], "-test.run=^TestServe$")
	cmd.Env = append(os.Environ(), "KEYRACK_TEST_SERVE="+kind)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	i := &instance{ask: in, said: bufio.NewReader(out)}
	address, err := i.said.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	for range connections {
		conn, err := net.Dial("tcp", strings.TrimSpace(address))
		if err != nil {
			b.Fatal(err)
		}
		i.conns = append(i.conns, conn)
	}
	return i
}

// send sends all bodies, and returns the CPU time that the server used for them.
func (i *instance) send(b *testing.B, bodies [][]byte) time.Duration {
	before := i.used(b)
	var wg sync.WaitGroup
	for n, conn := range i.conns {
		wg.Go(func() {
			answers := bufio.NewReader(conn)
			for at := n; at < len(bodies); at += len(i.conns) {
				body := bodies[at]
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: keyrack.test\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", webhookURL, len(body), body)
				answer, err := http.ReadResponse(answers, nil)
				if err != nil || answer.StatusCode != http.StatusNoContent {
					b.Errorf("%v, %v", answer, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return i.used(b) - before
}

func (i *instance) used(b *testing.B) time.Duration {
	fmt.Fprintln(i.ask)
	line, err := i.said.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(ns)
}

// TestServe is the server of BenchmarkHandler, and no test: without its variable
// it does nothing.
func TestServe(t *testing.T) {
	var handler http.Handler
	switch os.Getenv("KEYRACK_TEST_SERVE") {
	case "floor":
		handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			io.Copy(io.Discard, req.Body)
			w.WriteHeader(http.StatusNoContent)
		})
	case "keyrack":
		r, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		handler, err = r.Handler([]keyrack.Secret{{Name: "test", Value: keyrack.NewToken(secretText)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
	default:
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(listener, handler)
	fmt.Println(listener.Addr())
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			t.Fatal(err)
		}
		fmt.Println(usage.Utime.Nano() + usage.Stime.Nano())
	}
}
