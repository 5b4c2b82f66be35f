package connector_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestTranscripts plays the files in testdata/transcripts: a question, what goes
// over the wire, what comes back, byte for byte except for the line ends, and what
// is made of it. -update writes all but the question and the response.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), "files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := string(b)
			question, rest, ok1 := strings.Cut(want, "--- request\n")
			_, response, ok2 := strings.Cut(rest, "--- response\n")
			response, _, ok3 := strings.Cut(response, "--- answer\n")
			if !ok1 || !ok2 || !ok3 {
				t.Fatal("want a question, --- request, --- response, --- answer")
			}
			addr, request := oneExchange(t, response)
			c := newClient(t, "http://"+addr, nil)
			_, enterpriseID, _ := strings.Cut(question, "EnterpriseId: ")
			before := time.Now()
			a, err := c.Exchange(t.Context(), token, strings.TrimSpace(enterpriseID))
			if a.Began.Before(before) || a.Began.After(time.Now()) {
				t.Errorf("began %v", a.Began)
			}
			if (err == nil) != (a.Kind != connector.Silent) {
				t.Errorf("%v, but error %v", a.Kind, err)
			}
			sent := strings.ReplaceAll(<-request, "\r\n", "\n")
			sent = strings.Replace(sent, addr, "api.example", 1)
			got := question + "--- request\n" + sent + "\n--- response\n" + response + "--- answer\n" + describe(a, err)
			testkit.Golden(t, "transcripts/"+filepath.Base(file), got)
		})
	}
}

// describe writes what of an answer is not zero.
func describe(a connector.Answer, err error) string {
	var b strings.Builder
	line := func(name string, zero bool, v any) {
		if !zero {
			fmt.Fprintf(&b, "%s: %v\n", name, v)
		}
	}
	line("Kind", false, a.Kind)
	line("Status", a.Status == 0, a.Status)
	line("Enterprise", a.Enterprise == (lifecycle.Named{}), fmt.Sprintf("%q", a.Enterprise))
	line("Service", a.Service == (lifecycle.Named{}), fmt.Sprintf("%q", a.Service))
	line("Portfolio", !a.Portfolio, a.Portfolio)
	line("RetryAfter", a.RetryAfter == 0, a.RetryAfter)
	line("RequestID", a.RequestID == "", a.RequestID)
	line("error", err == nil, err)
	return b.String()
}

// oneExchange starts a server for one request, which it answers with a response
// as it is written, but with the line ends of HTTP in its head, and then closes
// the connection. The request is sent on the channel as it came.
func oneExchange(t *testing.T, response string) (addr string, request <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	head, body, _ := strings.Cut(response, "\n\n")
	came := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		var raw bytes.Buffer
		if r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &raw))); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		came <- raw.String()
		_, _ = io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+strings.TrimSuffix(body, "\n"))
	}()
	return l.Addr().String(), came
}
