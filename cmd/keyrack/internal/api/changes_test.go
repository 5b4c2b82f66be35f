package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// follower follows a stream of changes.
type follower struct {
	t     *testing.T
	lines *bufio.Scanner
	id    string // of the latest event
	close func() error
}

// follow opens a stream. The end of the test closes it.
func follow(t *testing.T, p *sidecar, query, lastEventID string) *follower {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.api+"/v1/changes"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("answered %d, %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if resp.Header.Get("X-Accel-Buffering") != "no" { // else nginx keeps events back
		t.Errorf("the headers of a stream: %v", resp.Header)
	}
	return &follower{t: t, lines: bufio.NewScanner(resp.Body), close: resp.Body.Close}
}

// next returns the next event; false at the end of the stream.
func (f *follower) next() (e Change, ok bool) {
	f.t.Helper()
	for f.lines.Scan() {
		line := f.lines.Text()
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			f.id = id
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				f.t.Fatal(err)
			}
			return e, true
		}
	}
	return e, false
}

// action returns the action of the next event.
func (f *follower) action() string {
	f.t.Helper()
	e, ok := f.next()
	if !ok {
		f.t.Fatal("the stream ended: ", f.lines.Err())
	}
	return e.Action
}

// TestChanges: a stream tells what happens, resumes after any of its events, and
// ends with the process.
func TestChanges(t *testing.T) {
	p := serveAPI(t, "")
	p.deliver(t, "created.json")
	news := follow(t, p, "", "")
	p.deliver(t, "disabled.json")
	if a := news.action(); a != "IntegrationDisabled" {
		t.Errorf("from now on: %s", a)
	}
	all := follow(t, p, "?after=0", "")
	for _, want := range []string{"IntegrationCreated", "IntegrationDisabled"} {
		if a := all.action(); a != want {
			t.Errorf("from the start: %s, want %s", a, want)
		}
	}
	p.deliver(t, "canceled.json")
	resumed := follow(t, p, "?after=0", news.id) // as a browser does
	for name, f := range map[string]*follower{"from now on": news, "from the start": all, "resumed": resumed} {
		if a := f.action(); a != "IntegrationCanceled" {
			t.Errorf("%s: %s", name, a)
		}
	}
	states := follow(t, p, "?after=0&kind=state,alarm", "")
	p.deliver(t, "canceled.json") // once more
	p.deliver(t, "deleted.json")
	for _, want := range []string{"IntegrationCreated", "IntegrationDisabled", "IntegrationCanceled", "IntegrationDeleted"} {
		if a := states.action(); a != want {
			t.Errorf("states: %s, want %s", a, want)
		}
	}
	p.end()
	for _, f := range []*follower{news, all, resumed, states} {
		for {
			if _, ok := f.next(); !ok {
				break
			}
		}
		if err := f.lines.Err(); err != nil {
			t.Errorf("the stream broke off: %v", err)
		}
	}
}

// TestChangesLostEarly: who loses the stream before its first event has the id by
// which it goes on with what happened meanwhile.
func TestChangesLostEarly(t *testing.T) {
	p := serveAPI(t, "")
	p.deliver(t, "created.json")
	for _, query := range []string{"", "?after=0"} {
		f := follow(t, p, query, "")
		for f.id == "" && f.lines.Scan() {
			f.id, _ = strings.CutPrefix(f.lines.Text(), "id: ")
		}
		if f.id == "" || !f.lines.Scan() || f.lines.Text() != "" {
			t.Fatalf("%q begins with no id of its own", query)
		}
		f.close()
		p.deliver(t, "disabled.json")
		want := "IntegrationDisabled"
		if query != "" {
			want = "IntegrationCreated"
		}
		if a := follow(t, p, "", f.id).action(); a != want {
			t.Errorf("%q, after %s: %s, want %s", query, f.id, a, want)
		}
	}
}

// TestChangesGone: a client that stops reading is forgotten, and the command still ends.
func TestChangesGone(t *testing.T) {
	p := serveAPI(t, "")
	f := follow(t, p, "", "")
	f.close()
	p.deliver(t, "created.json")
	p.end()
}

// TestChangesHead: HEAD gets headers, and no stream.
func TestChangesHead(t *testing.T) {
	p := serveAPI(t, "")
	if r := sidecartest.Call(t, p.api, "", http.MethodHead, "/v1/changes", "", ""); r.Status != http.StatusOK || r.Body != "" {
		t.Errorf("%+v", r)
	}
}

// TestStreamsOfKeys: a program that opens streams without end gets no more than its key's
// share, and the others still get theirs.
func TestStreamsOfKeys(t *testing.T) {
	p := serveAPI(t, sidecartest.APIKeys)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	status := func(key string) int {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.api+"/v1/changes", nil)
		if err != nil {
			t.Error(err)
			return 0
		}
		req.Header.Set("Authorization", "Bearer canary-"+key)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return 0
		}
		context.AfterFunc(ctx, func() { resp.Body.Close() })
		return resp.StatusCode
	}
	const tries = mostStreams/5 + 3 // there are five keys
	answers := make(chan int, tries)
	for range tries {
		go func() { answers <- status("reader") }()
	}
	open := 0
	for range tries {
		switch got := <-answers; got {
		case http.StatusOK:
			open++
		case http.StatusServiceUnavailable:
		default:
			t.Errorf("answered %d", got)
		}
	}
	if open != mostStreams/5 {
		t.Errorf("one key has %d streams of %d", open, mostStreams)
	}
	if got := status("holder"); got != http.StatusOK {
		t.Errorf("another key is answered %d", got)
	}
}
