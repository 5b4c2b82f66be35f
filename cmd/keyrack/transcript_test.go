package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// TestTranscripts plays each file of testdata/transcripts to a fresh keyrack
// serve, over its real listeners, and compares what it answers.
//
// A file is a list of exchanges. Each begins with a line "=== LISTENER: what it
// shows", has the request and behind a line "---" the response, byte for byte
// except for line ends and the Date. What was logged meanwhile is in the file of the
// same name that ends in .log. ADDRESS in a request is the listener's.
// Content-Length is filled in, or the body sent in chunks if the request says
// so. The line <FILE> in a body stands for that file of testdata/bodies, <N bytes>
// for a JSON string of N bytes. A line "# NAME=VALUE" before the first exchange
// sets a variable of the environment.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts: ", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, rest, _ := strings.Cut(string(content), "=== ")
			env := map[string]string{}
			for _, set := range inHead.FindAllStringSubmatch(head, -1) {
				env[set[1]] = set[2]
			}
			p := serving(t, env)
			var got strings.Builder
			got.WriteString(head)
			for exchange := range strings.SplitSeq(rest, "\n=== ") {
				title, request, _ := strings.Cut(exchange, "\n")
				request, _, _ = strings.Cut(request, "---\n")
				listener, _, _ := strings.Cut(title, ":")
				addr := map[string]string{"webhooks": p.webhooks, "api": p.api}[listener]
				response := talk(t, addr, request)
				if strings.HasPrefix(response, "HTTP/1.1 3") {
					t.Errorf("%s: Mews would follow this with the token in hand:\n%s", title, response)
				}
				if got.Len() > len(head) {
					got.WriteString("\n")
				}
				fmt.Fprintf(&got, "=== %s\n%s---\n%s", title, request, response)
			}
			testkit.Golden(t, filepath.Join("transcripts", name), got.String())
			p.signal()
			if code := p.wait(t); code != exitOK {
				t.Errorf("exit code %d", code)
			}
			testkit.Golden(t, filepath.Join("transcripts", strings.TrimSuffix(name, ".txt")+".log"), inGoldenLog(p.stderr.String()))
			sidecartest.Silent(t, "stderr", p.stderr.String())
			sidecartest.Silent(t, "stdout", p.stdout.String())
		})
	}
}

// talk sends a transcript's request on a connection of its own, and returns the
// response as a transcript has it.
func talk(t *testing.T, addr, request string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
	wire := onWire(t, addr, request)
	go func() { _, _ = io.WriteString(conn, wire) }() // the answer may come before all of it is read
	var raw bytes.Buffer
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%v after:\n%s", err, request)
	}
	if _, err = io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return inTranscript(raw.String())
}

var placeholder = regexp.MustCompile(`(?m)^<(.+)>$`)

// onWire makes the bytes of a request out of its form in a transcript.
func onWire(t *testing.T, addr, request string) string {
	t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	head = strings.ReplaceAll(strings.TrimSuffix(head, "\n"), "ADDRESS", addr)
	body = placeholder.ReplaceAllStringFunc(strings.TrimSuffix(body, "\n"), func(line string) string {
		name := strings.Trim(line, "<>")
		if n, err := strconv.Atoi(strings.TrimSuffix(name, " bytes")); err == nil {
			return `"` + strings.Repeat("a", n-2) + `"`
		}
		content, err := demo.Body(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	})
	if strings.Contains(head, "Transfer-Encoding: chunked") {
		body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	} else if strings.HasPrefix(head, "POST") {
		head += fmt.Sprintf("\nContent-Length: %d", len(body))
	}
	return strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body
}

var inHead = regexp.MustCompile(`(?m)^# (KEYRACK_[A-Z_]+)=(.*)$`)

var (
	date    = regexp.MustCompile(`(?m)^Date: .*\n`)
	length  = regexp.MustCompile(`(?m)^Content-Length: .*$`)
	differs = []struct {
		what *regexp.Regexp
		with string
	}{
		{regexp.MustCompile(`,"response":\{"status":\d+,"ms":[^}]*\}`), ""}, // noted soon, not at once
		{regexp.MustCompile(` *answered \d+ in \S+ ms`), ""},
		{regexp.MustCompile(`\b20(2[6-9]|[3-9]\d)-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
		{regexp.MustCompile(`\b0[0-9a-f]{7}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "ENTRY"},
		{regexp.MustCompile(`"age_seconds":\d+`), `"age_seconds":AGE`},
		{regexp.MustCompile(`, \d+m?\d*s ago`), ", AGE ago"},
		{regexp.MustCompile(`"digest":"[0-9a-f]{8}"`), `"digest":"DIGEST"`},
		{regexp.MustCompile(`(?m)^token [0-9a-f]{8}`), "token DIGEST"},
	}
)

// inTranscript leaves out of a response what differs from run to run.
func inTranscript(response string) string {
	response = date.ReplaceAllString(strings.ReplaceAll(response, "\r\n", "\n"), "")
	same := response
	for _, d := range differs {
		response = d.what.ReplaceAllString(response, d.with)
	}
	if response != same {
		response = length.ReplaceAllString(response, "Content-Length: LENGTH")
	}
	return strings.TrimRight(response, "\n") + "\n"
}

var (
	alarms  = regexp.MustCompile(`(?m)^.* msg=alarm .*\n`) // the library's own
	logTime = regexp.MustCompile(`(?m)^time=\S+ `)
	took    = regexp.MustCompile(`took=\S+`)
	port    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// inGoldenLog leaves out of a log what differs from run to run.
func inGoldenLog(text string) string {
	text = alarms.ReplaceAllString(text, "")
	text = took.ReplaceAllString(logTime.ReplaceAllString(text, ""), "took=TIME")
	return port.ReplaceAllString(text, "127.0.0.1:PORT")
}
