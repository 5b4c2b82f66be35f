package keyrack_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// server is a handler behind a real server, on connections in memory.
type server struct {
	t           *testing.T
	mem         *memstore.Store
	store       *faulty
	rackOptions keyrack.Options
	secrets     []keyrack.Secret
	options     keyrack.HandlerOptions
	rack        *keyrack.Rack
	handler     *keyrack.Handler
	http        http.Server
	connections connections
	log         testkit.Buffer
	seen        []keyrack.ServedRequest
	position    store.Position
}

// newServer returns a server whose random numbers are none, so that digests are
// always the same.
func newServer(t *testing.T) *server {
	ring, err := seal.NewRing(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, mem: memstore.New(nil), connections: make(connections)}
	key, err := ring.Seal(make([]byte, seal.KeySize), "digest key")
	if err == nil {
		err = s.mem.Reseal(t.Context(), store.Ref{Name: "digest key"}, nil, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.store = &faulty{Store: s.mem}
	s.rackOptions = keyrack.Options{Sealer: ring, Poll: day, Logger: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))}
	s.secrets = []keyrack.Secret{
		{Name: "2026", Value: keyrack.NewToken("current")},
		{Name: "2025", Value: keyrack.NewToken("former")},
		{Name: "odd", Value: keyrack.NewToken("ü+&= %20")},
	}
	return s
}

func (s *server) start() {
	s.t.Helper()
	var err error
	s.rackOptions.Telemetry = &keyrack.Telemetry{Answered: func(_ context.Context, o keyrack.ServedRequest) { s.seen = append(s.seen, o) }}
	if s.rack, err = keyrack.Open(s.t.Context(), s.store, &s.rackOptions); err != nil {
		s.t.Fatal(err)
	}
	if s.handler, err = s.rack.Handler(s.secrets, &s.options); err != nil {
		s.t.Fatal(err)
	}
	s.http.Handler = s.handler
	s.http.ErrorLog = log.New(&s.log, "net/http: ", 0)
	go s.http.Serve(s.connections)
	synctest.Wait()
}

func (s *server) close() {
	s.http.Close()
	s.rack.Close()
	synctest.Wait()
}

// application is the application's own handler of General Webhooks.
func (s *server) application(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	switch req.URL.Query().Get("do") {
	case "teapot":
		w.Header().Set("X-Application", "its own")
		http.Error(w, "short and stout", http.StatusTeapot)
	case "nothing":
	case "panic":
		panic("made-up token 0123456789")
	case "panic-late":
		fmt.Fprint(w, "half an ans")
		panic(errors.New("made-up token 0123456789"))
	case "abort":
		fmt.Fprint(w, "half an ans")
		if err := http.NewResponseController(w).Flush(); err != nil {
			s.t.Error(err)
		}
		panic(http.ErrAbortHandler)
	case "hints":
		w.WriteHeader(http.StatusEarlyHints)
		http.Error(w, "short and stout", http.StatusTeapot)
	case "slow":
		time.Sleep(20 * time.Second)
		fmt.Fprintf(w, "context: %v\n", req.Context().Err())
	default:
		fmt.Fprintf(w, "%s %s, %d bytes announced, %v\n%s", req.Method, req.URL.Path, req.ContentLength, err, body)
	}
}

// exchange sends a request and writes down what comes back, and what came of it.
func (s *server) exchange(b *strings.Builder, x exchange) {
	s.store.fail(x.faults...)
	var head strings.Builder
	head.WriteString(x.line + " HTTP/1.1\r\nHost: keyrack.test\r\n")
	for _, h := range x.headers {
		head.WriteString(h + "\r\n")
	}
	body := x.body
	switch {
	case x.chunked:
		head.WriteString("Transfer-Encoding: chunked\r\n")
		body = chunks(body)
	case !strings.HasPrefix(x.line, "GET") && !strings.HasPrefix(x.line, "HEAD"):
		head.WriteString(fmt.Sprintf("Content-Length: %d\r\n", len(body)))
	}
	if x.cut > 0 {
		body = body[:x.cut]
	}
	fmt.Fprintf(b, "== %s\n%s", x.about, quote("> ", strings.ReplaceAll(head.String(), "\r", "")+"\n"+short(x.body)))
	client, there := net.Pipe()
	defer client.Close()
	began := time.Now()
	s.connections <- there
	goOn := make(chan bool, 2)
	go func() { // the server may answer before it has read all
		fmt.Fprint(client, head.String()+"\r\n")
		if !x.wait || <-goOn {
			fmt.Fprint(client, body)
		}
	}()
	answers := bufio.NewReader(client)
	for {
		method, _, _ := strings.Cut(x.line, " ")
		answer, err := http.ReadResponse(answers, &http.Request{Method: method})
		if err != nil {
			s.t.Fatalf("%s: %v", x.about, err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			text = fmt.Appendf(text, " … %v", err)
		}
		if answer.StatusCode >= 300 && answer.StatusCode < 400 || answer.Header.Get("Location") != "" {
			s.t.Errorf("%s: redirected", x.about)
		}
		answer.Header.Del("Date")
		var lines strings.Builder
		lines.WriteString(answer.Status + "\n")
		for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
			lines.WriteString(name + ": " + strings.Join(answer.Header[name], ", ") + "\n")
		}
		if answer.Close {
			lines.WriteString("(and the connection is closed)\n")
		}
		b.WriteString(quote("< ", lines.String()+"\n"+string(text)))
		if answer.StatusCode >= http.StatusOK {
			goOn <- false
			break
		}
		goOn <- true
	}
	synctest.Wait()
	if took := time.Since(began); took > 0 {
		fmt.Fprintf(b, "took %v\n", took)
	}
	s.inside(b)
}

// inside writes down what came of a request.
func (s *server) inside(b *strings.Builder) {
	for _, o := range s.seen {
		fmt.Fprintf(b, "observed: %d", o.Status)
		switch {
		case o.Refusal != "":
			fmt.Fprintf(b, " refused: %s", o.Refusal)
		case o.Receipt.General != nil:
			b.WriteString(" a General Webhook")
		default:
			fmt.Fprintf(b, " %s %v", o.Receipt.Action, o.Receipt.Decision.Outcome)
		}
		if o.Took > 0 {
			fmt.Fprintf(b, " in %v", o.Took)
		}
		b.WriteString("\n")
	}
	s.rack.NoteAnswers()
	for stored, err := range s.mem.Journal(s.t.Context(), s.position) {
		if err != nil {
			s.t.Fatal(err)
		}
		e, err := keyrack.ParseEntry(stored)
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(b, "journal: entry %d, %v of %q: %v", e.Position, e.Evidence.Action, e.Integration, e.Decision.Outcome)
		if e.Decision.Cause != "" {
			fmt.Fprintf(b, " (%v)", e.Decision.Cause)
		}
		fmt.Fprintf(b, ", answered %d\n", e.Response.Status)
		s.position = e.Position
	}
	b.WriteString(quote("log: ", s.log.Take()))
	s.seen = nil
}

// summary writes down what the handler remembers.
func (s *server) summary(b *strings.Builder) {
	b.WriteString("== in the end\n")
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, use := range s.handler.Secrets() {
		seen := "never"
		if !use.LastSeen.IsZero() {
			seen = "after " + use.LastSeen.Sub(start).String()
		}
		fmt.Fprintf(b, "secret %q was last seen: %s\n", use.Name, seen)
	}
	counts, recent := s.handler.Refused()
	for _, refusal := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(b, "refused: %d for %s\n", counts[refusal], refusal)
	}
	for _, r := range recent {
		fmt.Fprintf(b, "remembered: %s after %v, %d bytes, digest %q\n", r.Refusal, r.At.Sub(start), r.Size, r.Digest)
	}
}

// quote puts a mark before every line.
func quote(mark, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(mark+strings.TrimSuffix(line, "\n"), " ") + "\n")
	}
	return b.String()
}

// short leaves out what nobody wants to read, and shows what cannot be read.
func short(body string) string {
	body = strings.ReplaceAll(strings.ToValidUTF8(body, `\xff`), "\r\n", "\n")
	if text := strings.TrimRight(body, " "); len(body)-len(text) > 40 {
		return fmt.Sprintf("%s … and %d spaces", text, len(body)-len(text))
	}
	return body
}

func chunks(body string) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(body), 10_000) {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
	}
	return b.String() + "0\r\n\r\n"
}

// connections is a listener of connections in memory.
type connections chan net.Conn

func (c connections) Accept() (net.Conn, error) {
	if conn, ok := <-c; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (c connections) Close() error { close(c); return nil }

func (c connections) Addr() net.Addr { return &net.TCPAddr{} }
