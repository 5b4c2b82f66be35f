package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/store"
)

// follower follows a stream of changes.
type follower struct {
	t     *testing.T
	lines *bufio.Scanner
	id    string // of the latest event
	close func() error
}

// follow opens a stream. The end of the test closes it.
func follow(t *testing.T, p *process, query, lastEventID string) *follower {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
	return &follower{t: t, lines: bufio.NewScanner(resp.Body), close: resp.Body.Close}
}

// next returns the next event; false at the end of the stream.
func (f *follower) next() (e entryDocument, ok bool) {
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
	p := serving(t, nil)
	deliver(t, p, "created.json")
	news := follow(t, p, "", "")
	deliver(t, p, "disabled.json")
	if a := news.action(); a != "IntegrationDisabled" {
		t.Errorf("from now on: %s", a)
	}
	all := follow(t, p, "?after=0", "")
	for _, want := range []string{"IntegrationCreated", "IntegrationDisabled"} {
		if a := all.action(); a != want {
			t.Errorf("from the start: %s, want %s", a, want)
		}
	}
	deliver(t, p, "canceled.json")
	resumed := follow(t, p, "?after=0", news.id) // as a browser does
	for name, f := range map[string]*follower{"from now on": news, "from the start": all, "resumed": resumed} {
		if a := f.action(); a != "IntegrationCanceled" {
			t.Errorf("%s: %s", name, a)
		}
	}
	states := follow(t, p, "?after=0&kind=state,alarm", "")
	deliver(t, p, "canceled.json") // once more
	deliver(t, p, "deleted.json")
	for _, want := range []string{"IntegrationCreated", "IntegrationDisabled", "IntegrationCanceled", "IntegrationDeleted"} {
		if a := states.action(); a != want {
			t.Errorf("states: %s, want %s", a, want)
		}
	}
	p.signal()
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
	if code := p.wait(t); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, &p.stderr)
	}
}

// TestChangesLostEarly: who loses the stream before its first event has the id by
// which it goes on with what happened meanwhile.
func TestChangesLostEarly(t *testing.T) {
	p := serving(t, nil)
	deliver(t, p, "created.json")
	for _, query := range []string{"", "?after=0"} {
		f := follow(t, p, query, "")
		for f.id == "" && f.lines.Scan() {
			f.id, _ = strings.CutPrefix(f.lines.Text(), "id: ")
		}
		if f.id == "" || !f.lines.Scan() || f.lines.Text() != "" {
			t.Fatalf("%q begins with no id of its own", query)
		}
		f.close()
		deliver(t, p, "disabled.json")
		want := "IntegrationDisabled"
		if query != "" {
			want = "IntegrationCreated"
		}
		if a := follow(t, p, "", f.id).action(); a != want {
			t.Errorf("%q, after %s: %s, want %s", query, f.id, a, want)
		}
	}
}

// TestChangesGone: whoever stops reading is forgotten, and the command still ends.
func TestChangesGone(t *testing.T) {
	p := serving(t, nil)
	f := follow(t, p, "", "")
	f.close()
	deliver(t, p, "created.json")
	stop(t, p)
}

// TestChangesHead: HEAD gets headers, and no stream.
func TestChangesHead(t *testing.T) {
	p := serving(t, nil)
	if r := call(t, p.api, "", http.MethodHead, "/v1/changes", "", ""); r.status != http.StatusOK || r.body != "" {
		t.Errorf("%+v", r)
	}
}

// TestStreamFails: an error has a status as long as none was sent, and is an event
// afterwards.
func TestStreamFails(t *testing.T) {
	entry := keyrack.Entry{Position: 7}
	journal := func(entries int, err error) func(context.Context) iter.Seq2[keyrack.Entry, error] {
		return func(context.Context) iter.Seq2[keyrack.Entry, error] {
			return func(yield func(keyrack.Entry, error) bool) {
				for range entries {
					if !yield(entry, nil) {
						return
					}
				}
				yield(keyrack.Entry{}, err)
			}
		}
	}
	for _, test := range []struct {
		name    string
		entries int
		err     error
		status  int
		say     string
	}{
		{"trimmed", 0, store.ErrTrimmed, http.StatusGone, `"error":"trimmed"`},
		{"a store that fails", 0, errors.New("canary"), http.StatusServiceUnavailable, `"error":"unavailable"`},
		{"trimmed meanwhile", 1, store.ErrTrimmed, http.StatusOK, "event: problem\ndata: {\"title\":\"Gone\",\"status\":410,"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s := stream{w: w, control: http.NewResponseController(w), wants: func(keyrack.Entry) bool { return true }, grace: patience}
			s.run(t.Context(), journal(test.entries, test.err), nil)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.say) {
				t.Errorf("%d:\n%s", w.Code, w.Body)
			}
			testkit.Silent(t, "the answer", w.Body.String())
		})
	}
}

// TestStreamBeats: a stream with nothing to tell shows that it lives, and how far
// it has come.
func TestStreamBeats(t *testing.T) {
	w := &endAtWrite{ResponseRecorder: httptest.NewRecorder(), ending: make(chan struct{})}
	s := stream{w: w, control: http.NewResponseController(w), wants: func(keyrack.Entry) bool { return false }, grace: 50 * time.Millisecond, passed: 3}
	s.run(t.Context(), func(ctx context.Context) iter.Seq2[keyrack.Entry, error] {
		return func(yield func(keyrack.Entry, error) bool) {
			yield(keyrack.Entry{Position: 7}, nil)
			<-ctx.Done()
		}
	}, w.ending)
	switch body := w.Body.String(); body {
	case "id: 7\n\n: still here\n\n: going away\n\n":
	case "id: 3\n\n: still here\n\n: going away\n\n": // the beat came first
	default:
		t.Errorf("%q", body)
	}
}

// endAtWrite has the stream end after its first beat.
type endAtWrite struct {
	*httptest.ResponseRecorder
	ending chan struct{}
	once   sync.Once
}

func (w *endAtWrite) Write(b []byte) (int, error) {
	w.once.Do(func() { close(w.ending) })
	return w.ResponseRecorder.Write(b)
}
