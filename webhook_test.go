package keyrack_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// What a caller sees of the handler, byte for byte, stands in testdata/http: one
// conversation a file, over a real server on connections in memory and, where
// somebody has to wait, on virtual time. Behind each answer the file says what
// came of it inside.
var conversations = []struct {
	file  string
	about string
	setup func(*server)
	talk  []exchange
}{
	{
		"paths", "One exact path, POST alone, and never a redirection.", nil,
		[]exchange{
			{about: "the path", line: "POST /webhooks/mews?Token=current", body: enabledBody},
			{about: "as a proxy would ask for it", line: "POST http://keyrack.test/webhooks/mews?Token=current", body: enabledBody},
			{about: "another path", line: "POST /", body: enabledBody},
			{about: "two slashes", line: "POST //webhooks/mews?Token=current", body: enabledBody},
			{about: "two slashes within", line: "POST /webhooks//mews?Token=current", body: enabledBody},
			{about: "a slash at the end", line: "POST /webhooks/mews/?Token=current", body: enabledBody},
			{about: "a dot", line: "POST /webhooks/./mews?Token=current", body: enabledBody},
			{about: "two dots", line: "POST /webhooks/../webhooks/mews?Token=current", body: enabledBody},
			{about: "another case", line: "POST /Webhooks/Mews?Token=current", body: enabledBody},
			{about: "an encoded slash", line: "POST /webhooks%2Fmews?Token=current", body: enabledBody},
			{about: "an encoded letter", line: "POST /webhooks/%6Dews?Token=current", body: enabledBody},
			{about: "GET", line: "GET /webhooks/mews?Token=current"},
			{about: "HEAD", line: "HEAD /webhooks/mews?Token=current"},
			{about: "OPTIONS", line: "OPTIONS /webhooks/mews"},
			{about: "PUT", line: "PUT /webhooks/mews?Token=current", body: enabledBody},
			{about: "a method in lower case", line: "post /webhooks/mews?Token=current", body: enabledBody},
		},
	},
	{
		"secrets", "One secret of several, exactly once, in the query.", nil,
		[]exchange{
			{about: "none", line: "POST /webhooks/mews", body: enabledBody},
			{about: "a wrong one", line: "POST /webhooks/mews?Token=wrong", body: enabledBody},
			{about: "a part of one", line: "POST /webhooks/mews?Token=curren", body: enabledBody},
			{about: "an empty one", line: "POST /webhooks/mews?Token=", body: enabledBody},
			{about: "the name in the wrong case", line: "POST /webhooks/mews?token=current", body: enabledBody},
			{about: "two, both right", line: "POST /webhooks/mews?Token=current&Token=former", body: enabledBody},
			{about: "two, one of them right", line: "POST /webhooks/mews?Token=wrong&Token=current", body: enabledBody},
			{about: "in the body", line: "POST /webhooks/mews", headers: []string{"Content-Type: application/x-www-form-urlencoded"}, body: "Token=current"},
			{about: "in a header", line: "POST /webhooks/mews", headers: []string{"Authorization: Bearer current", "Token: current"}, body: enabledBody},
			{about: "in a query that does not parse", line: "POST /webhooks/mews?Token=current;x=%zz", body: enabledBody},
			{about: "asked for with Expect, and refused before the body comes", line: "POST /webhooks/mews?Token=wrong", headers: []string{"Expect: 100-continue"}, body: enabledBody, wait: true},
			{about: "the current one", line: "POST /webhooks/mews?Token=current", body: enabledBody},
			{about: "beside something else", line: "POST /webhooks/mews?a=b&Token=current&c", body: enabledBody},
			{about: "the former one, a minute later", after: minute, line: "POST /webhooks/mews?Token=former", body: enabledBody},
			{about: "one with reserved characters, encoded", after: minute, line: "POST /webhooks/mews?Token=%C3%BC%2B%26%3D+%2520", body: enabledBody},
		},
	},
	{
		"outcomes", "Whatever was journalled is 204: sending it again would not help.", nil,
		[]exchange{
			{about: "the specification's own payload", line: delivery, body: string(specBody())},
			{about: "again", line: delivery, body: string(specBody())},
			{about: "no content type is promised, and none is asked for", line: delivery, headers: []string{"Content-Type: text/plain"}, body: `{"Action":"IntegrationDisabled","Data":{"Integration":{"Id":"9e5e84e9-974d-4f16-9662-ab2200f27cb1","Name":"WebhookTEST"}}}`},
			{about: "its predecessor is missing", line: delivery, body: enabledBody},
			{about: "another enterprise", line: delivery, body: strings.ReplaceAll(string(specBody()), "8865aa96", "00000000")},
			{about: "a deletion, without its time", line: delivery, body: `{"Action":"IntegrationDeleted","Data":{"DeletedUtc":null,"Integration":{"Id":"9e5e84e9-974d-4f16-9662-ab2200f27cb1","Name":"WebhookTEST"}}}`},
			{about: "after the deletion", line: delivery, body: string(specBody())},
			{about: "an action that is not known", line: delivery, body: `{"Action":"IntegrationMoved","Data":{"Integration":{"Id":"9e5e84e9-974d-4f16-9662-ab2200f27cb1"}}}`},
			{about: "an unexpected shape", line: delivery, body: `{"Action":"IntegrationEnabled","Data":{"Integration":"9e5e84e9-974d-4f16-9662-ab2200f27cb1"}}`},
			{about: "another unexpected shape", line: delivery, body: `[]`},
			{about: "a General Webhook, of which nobody wants to know", line: delivery, body: generalBody},
		},
	},
	{
		"syntax", "What is not strict JSON is 400; a count and a keyed digest are kept.", nil,
		[]exchange{
			{about: "nothing", line: delivery, body: ""},
			{about: "words", line: delivery, body: "IntegrationEnabled"},
			{about: "cut short", line: delivery, body: enabledBody[:60]},
			{about: "a name twice", line: delivery, body: `{"Action":"IntegrationEnabled","Action":"IntegrationDeleted","Data":{"Integration":{"Id":"x"}}}`},
			{about: "a required name in the wrong case", line: delivery, body: `{"action":"IntegrationEnabled","Data":{"Integration":{"Id":"x"}}}`},
			{about: "broken UTF-8", line: delivery, body: "{\"Action\":\"IntegrationEnabled\",\"Data\":{\"Integration\":{\"Id\":\"\xff\"}}}"},
			{about: "data after the end", line: delivery, body: enabledBody + "{}"},
			{about: "too deep", line: delivery, body: strings.Repeat("[", 40) + strings.Repeat("]", 40)},
			{about: "the same words again", line: delivery, body: "IntegrationEnabled"},
		},
	},
	{
		"sizes", "The limit is 64 KiB, with a length or without.", nil,
		[]exchange{
			{about: "exactly the limit", line: delivery, body: padded(64 << 10)},
			{about: "exactly the limit, chunked", line: delivery, body: padded(64 << 10), chunked: true},
			{about: "one byte more", line: delivery, body: padded(64<<10 + 1)},
			{about: "one byte more, chunked", line: delivery, body: padded(64<<10 + 1), chunked: true},
			{about: "much more, announced with Expect and never sent", line: delivery, headers: []string{"Expect: 100-continue"}, body: padded(1 << 20), wait: true},
			{about: "within the limit, announced with Expect", line: delivery, headers: []string{"Expect: 100-continue"}, body: enabledBody, wait: true},
			{about: "a body that does not come to its end", line: delivery, body: enabledBody, cut: 40},
		},
	},
	{
		"store", "503 tells Mews to send it again, and only where that can help.", nil,
		[]exchange{
			{about: "a healthy store", line: delivery, body: string(specBody())},
			{about: "one that fails", line: delivery, body: enabledBody, faults: []fault{failsBefore, failsBefore}},
			{about: "one that fails once", line: delivery, body: enabledBody, faults: []fault{failsBefore}},
			{about: "one that commits and loses its answer", line: delivery, body: enabledBody, faults: []fault{failsAfter}},
			{about: "one that commits and loses its answer, twice", line: delivery, body: enabledBody, faults: []fault{failsAfter, failsAfter}},
			{about: "and is well again", line: delivery, body: enabledBody},
			{about: "one that does not answer", line: delivery, body: enabledBody, faults: []fault{hangs}},
			{about: "one that commits and does not answer", line: delivery, body: enabledBody, faults: []fault{hangsAfter}},
			{about: "one where another instance was faster", line: delivery, body: enabledBody, faults: []fault{conflicts}},
			{about: "one where somebody is always faster", line: delivery, body: enabledBody, faults: slices.Repeat([]fault{conflicts, noFault}, 40)},
			{about: "one that panics", line: delivery, body: enabledBody, faults: []fault{panics, panics}},
			{about: "one that panics over what names no integration", line: delivery, body: `[]`, faults: []fault{panics, panics}},
			{about: "and is well again", line: delivery, body: enabledBody},
		},
	},
	{
		"patience", "An application may give the store less time.",
		func(s *server) { s.rackOptions.StoreTimeout = time.Second },
		[]exchange{
			{about: "a store that does not answer", line: delivery, body: enabledBody, faults: []fault{hangs}},
		},
	},
	{
		"general", "A General Webhook is answered by the application's own handler.",
		func(s *server) { s.options.General = http.HandlerFunc(s.application) },
		[]exchange{
			{about: "the body as it came", line: delivery, body: generalBody},
			{about: "the body as it came, chunked and with white space", line: delivery, body: "\n " + generalBody + " \n", chunked: true},
			{about: "an answer of its own", line: delivery + "&do=teapot", body: generalBody},
			{about: "nothing answered", line: delivery + "&do=nothing", body: generalBody},
			{about: "a panic", line: delivery + "&do=panic", body: generalBody},
			{about: "a panic in the middle of an answer", line: delivery + "&do=panic-late", body: generalBody},
			{about: "an answer that it breaks off itself, as a proxy does", line: delivery + "&do=abort", body: generalBody},
			{about: "hints before the answer", line: delivery + "&do=hints", body: generalBody},
			{about: "it takes its time, and its context lives as long", line: delivery + "&do=slow", body: generalBody},
			{about: "without the secret it does not get there", line: "POST /webhooks/mews", body: generalBody},
			{about: "an event of an integration does not get there", line: delivery, body: enabledBody},
			{about: "nor what has an Action, whatever else it has", line: delivery, body: `{"Action":"IntegrationMoved","Events":[]}`},
		},
	},
	{
		"open", "Without a secret, where something in front authenticates; on a path of its own, with a limit of its own.",
		func(s *server) {
			s.secrets, s.options = nil, keyrack.HandlerOptions{WithoutSecret: true, Path: "/mews hooks", BodyLimit: int64(len(enabledBody))}
		},
		[]exchange{
			{about: "no secret", line: "POST /mews%20hooks", body: enabledBody},
			{about: "any secret", line: "POST /mews%20hooks?Token=any", body: enabledBody},
			{about: "the usual path", line: "POST /webhooks/mews", body: enabledBody},
			{about: "one byte more", line: "POST /mews%20hooks", body: enabledBody + " "},
		},
	},
}

const (
	delivery    = "POST /webhooks/mews?Token=current"
	enabledBody = `{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"c8bee838-7fb1-4f4e-8fac-ac87008b2f90","Name":"Sample"}}}`
)

// padded returns a delivery of a size, in bytes.
func padded(size int) string {
	return enabledBody + strings.Repeat(" ", size-len(enabledBody))
}

// exchange is one request and its answer.
type exchange struct {
	about   string
	after   time.Duration
	line    string // of the request, without the protocol
	headers []string
	body    string
	chunked bool
	wait    bool    // for 100 Continue
	cut     int     // how much of the body is sent, if not 0
	faults  []fault // of the store's
}

func TestConversations(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				if c.setup != nil {
					c.setup(s)
				}
				s.start()
				var b strings.Builder
				fmt.Fprintf(&b, "# %s\n", c.about)
				for _, x := range c.talk {
					time.Sleep(x.after)
					b.WriteString("\n")
					s.exchange(&b, x)
				}
				b.WriteString("\n")
				s.summary(&b)
				s.close()
				golden(t, "testdata/http/"+c.file+".txt", b.String())
			})
		})
	}
}

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
	log         lines
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
		if e.Decision.Cause != 0 {
			fmt.Fprintf(b, " (%v)", e.Decision.Cause)
		}
		fmt.Fprintf(b, ", answered %d\n", e.Response.Status)
		s.position = e.Position
	}
	b.WriteString(quote("log: ", s.log.take()))
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

func (c connections) Close() error   { close(c); return nil }
func (c connections) Addr() net.Addr { return &net.TCPAddr{} }

// lines collects what is written to it.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.b.String()
	l.b.Reset()
	return text
}

// Nobody starts a handler that anybody can deliver to, unless he says so.
func TestHandlerWithoutSecret(t *testing.T) {
	r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, test := range []struct {
		name    string
		secrets []keyrack.Secret
		options *keyrack.HandlerOptions
		ok      bool
	}{
		{"nothing said", nil, nil, false},
		{"an empty secret", []keyrack.Secret{{Name: "empty"}}, nil, false},
		{"an empty secret beside a good one", []keyrack.Secret{{Name: "good", Value: keyrack.NewToken("good")}, {Name: "empty"}}, nil, false},
		{"said so", nil, &keyrack.HandlerOptions{WithoutSecret: true}, true},
		{"a secret", []keyrack.Secret{{Value: keyrack.NewToken("good")}}, nil, true},
	} {
		h, err := r.Handler(test.secrets, test.options)
		if (err == nil) != test.ok || (h != nil) != test.ok || err != nil && !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// What has begun is finished, though the caller has gone.
func TestCallerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		slow := &slow{Store: s.mem}
		s.store.Store = slow
		s.start()
		defer s.close()
		client, there := net.Pipe()
		s.connections <- there
		go fmt.Fprintf(client, "%s HTTP/1.1\r\nHost: keyrack.test\r\nContent-Length: %d\r\n\r\n%s", delivery, len(enabledBody), enabledBody)
		time.Sleep(time.Second)
		client.Close()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if slow.err != nil {
			t.Errorf("the store's context ended with the caller: %v", slow.err)
		}
		var b strings.Builder
		s.inside(&b)
		if !strings.Contains(b.String(), "journal: entry 1") {
			t.Errorf("not in the journal: %s", b.String())
		}
	})
}

// slow commits after three seconds.
type slow struct {
	store.Store
	err error
}

func (s *slow) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	time.Sleep(3 * time.Second)
	s.err = ctx.Err()
	return s.Store.Commit(ctx, c)
}

// What the application does when it is told of an answer is contained.
func TestObserverPanics(t *testing.T) {
	r, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{
		Telemetry: &keyrack.Telemetry{Answered: func(context.Context, keyrack.ServedRequest) { panic("of the observer") }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h, err := r.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	for body, want := range map[string]int{enabledBody: http.StatusNoContent, generalBody: http.StatusNoContent, "{": http.StatusBadRequest} {
		answer, err := http.Post(srv.URL+keyrack.DefaultPath, "", strings.NewReader(body))
		if err != nil {
			t.Fatalf("the answer was lost: %v", err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("answered %d, want %d", answer.StatusCode, want)
		}
	}
}

// Refusals are counted without end, and remembered up to a few.
func TestRefusedIsBounded(t *testing.T) {
	r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h, err := r.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if status := post(h, fmt.Appendf(nil, "broken %d", i%500)); status != http.StatusBadRequest {
			t.Fatalf("answered %d", status)
		}
	}
	counts, recent := h.Refused()
	if counts[keyrack.RefusedSyntax] != 1000 || len(recent) > 100 {
		t.Errorf("%v, and %d remembered", counts, len(recent))
	}
	digests := map[string]bool{}
	for _, one := range recent {
		digests[one.Digest] = true
	}
	if len(digests) != len(recent) {
		t.Errorf("%d digests for %d bodies", len(digests), len(recent))
	}
	counts[keyrack.RefusedSyntax] = 0 // the caller's own
	if counts, _ := h.Refused(); counts[keyrack.RefusedSyntax] != 1000 {
		t.Error("the counts can be changed from outside")
	}
}

// What is quick says what is thorough.
func TestPresentedInIsAsURL(t *testing.T) {
	part := rapid.SampledFrom([]string{"Token", "token", "T%6Fken", "%54oken", "=", "=", "&", "&", ";", "+", "%", "%20", "%zz", "a", "secret", "%26"})
	rapid.Check(t, func(t *rapid.T) {
		raw := strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "query"), "")
		query, _ := url.ParseQuery(raw) // what does not parse is left out
		want := query["Token"]
		value, ok := keyrack.PresentedIn(raw)
		if ok != (len(want) == 1) || ok && value != want[0] {
			t.Errorf("%q: %q, %v; package url says %q", raw, value, ok, want)
		}
	})
}

func TestMayNameRequestor(t *testing.T) {
	bodies, err := filepath.Glob("events/testdata/bodies/*.json")
	if err != nil {
		t.Fatal(err)
	}
	spared := 0
	for _, name := range bodies {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, variant := range [][]byte{body, bytes.ToLower(body), bytes.ToUpper(body), bytes.ReplaceAll(body, []byte("Requestor"), []byte(`\u0052equestor`)), bytes.ReplaceAll(body, []byte("Requestor"), []byte("requeſtor"))} {
			stripped, err := events.WithoutRequestor(variant)
			if err == nil && !keyrack.MayNameRequestor(variant) {
				spared++
				if !bytes.Equal(stripped, variant) {
					t.Errorf("%s: there is something to be taken out", name)
				}
			}
		}
	}
	if spared == 0 {
		t.Error("nothing was spared")
	}
}
