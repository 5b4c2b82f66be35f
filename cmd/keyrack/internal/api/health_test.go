package api

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// fragile is a store that can be made to fail.
type fragile struct {
	*memstore.Store
	broken atomic.Bool
}

var errBroken = errors.New("canary: broken")

func (f *fragile) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	if f.broken.Load() {
		return func(yield func(store.Entry, error) bool) { yield(store.Entry{}, errBroken) }
	}
	return f.Store.Journal(ctx, after)
}

func (f *fragile) Bounds(ctx context.Context) (first, last store.Position, err error) {
	if f.broken.Load() {
		return 0, 0, errBroken
	}
	return f.Store.Bounds(ctx)
}

func (f *fragile) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if f.broken.Load() {
		return store.Committed{}, errBroken
	}
	return f.Store.Commit(ctx, c)
}

func (f *fragile) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	if f.broken.Load() {
		return func(yield func(string, error) bool) { yield("", errBroken) }
	}
	return f.Store.Names(ctx, prefix)
}

func (f *fragile) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) { yield(store.Entry{}, errBroken) }
}

// TestDegraded: while the store cannot be read, questions are answered from memory,
// and /readyz and /metrics say so.
func TestDegraded(t *testing.T) { synctest.Test(t, testDegraded) }

func testDegraded(t *testing.T) {
	s := &fragile{Store: memstore.New(nil)}
	rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Poll: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	body, err := demo.Body("created.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rack.Deliver(t.Context(), body); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute) // longer than ReportSlack
	var log testkit.Buffer
	ready := new(atomic.Bool)
	ready.Store(true)
	keys, err := ParseKeys(sidecartest.APIKeys, "the test", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := New(Options{
		Rack: rack, Keys: keys, Metrics: metrics.New("0.0.0"), Log: slog.New(slog.NewTextHandler(&log, nil)), Ready: ready,
	})
	ask := func(method, target, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+target, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer canary-boss")
		req.Header.Set("Content-Type", "application/json")
		a.ServeHTTP(w, req)
		return w
	}
	get := func(target string) *httptest.ResponseRecorder { return ask(http.MethodGet, target, "") }
	if w := get("/readyz"); w.Code != http.StatusOK || w.Body.String() != "ready\n" {
		t.Errorf("readyz: %d, %s", w.Code, w.Body)
	}
	s.broken.Store(true)
	testkit.Eventually(t, "the journal to be out of reach", func() bool { return rack.SyncStatus().Err != nil })
	if w := get("/readyz"); w.Code != http.StatusOK || w.Body.String() != "degraded\n" {
		t.Errorf("readyz: %d, %s", w.Code, w.Body)
	}
	page := get("/metrics").Body.String()
	if !strings.Contains(page, "keyrack_store_readable 0\n") || strings.Contains(page, "keyrack_journal_lag") {
		t.Errorf("the metrics:\n%s", page)
	}
	sidecartest.WellFormed(t, page)
	if w := get(IntegrationsPath + "/" + sidecartest.SampleIntegration); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":"valid"`) {
		t.Errorf("from memory: %d, %s", w.Code, w.Body)
	}
	d := describe(t)
	// What has to be in the journal first, or is read from there, is not answered.
	report := fmt.Sprintf(`{"token":"%s","status":401,"elapsed_ms":1}`, sidecartest.SampleToken)
	for _, one := range []struct{ method, path, body string }{
		{http.MethodGet, IntegrationsPath + "/{id}/history", ""},
		{http.MethodGet, IntegrationsPath + "/{id}/explain", ""},
		{http.MethodGet, "/v1/changes", ""},
		{http.MethodGet, subscriptionsPath, ""},
		{http.MethodPost, subscriptionsPath + "/pause", `{"name":"one"}`},
		{http.MethodPost, subscriptionsPath + "/resume", `{"name":"one"}`},
		{http.MethodPost, subscriptionsPath + "/rewind", `{"name":"one","after":0}`},
		{http.MethodPost, IntegrationsPath + "/{id}/token", ""},
		{http.MethodPost, IntegrationsPath + "/{id}/import", `{"token":"canary-imported"}`},
		{http.MethodPost, "/v1/report", report},
		{http.MethodPost, IntegrationsPath + "/{id}/settle", `{"enabled":true,"who":"Kim","why":"the hotel called"}`},
	} {
		w := ask(one.method, strings.Replace(one.path, "{id}", sidecartest.SampleIntegration, 1), one.body)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s %s: %d, %s", one.method, one.path, w.Code, w.Body)
		}
		d.check(t, one.method, one.path, sidecartest.Reply{Status: w.Code, Header: w.Header(), Body: w.Body.String()})
		sidecartest.Silent(t, one.path, w.Body.String())
	}
	sidecartest.Silent(t, "the log", log.String())
	ready.Store(false)
	if w := get("/readyz"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d, %s", w.Code, w.Body)
	}
}

// TestHealth: the paths of health checks want no key, on their own listener they are all
// there is, and what they say is a word.
func TestHealth(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	keys, err := ParseKeys(sidecartest.APIKeys, "the test", nil)
	if err != nil {
		t.Fatal(err)
	}
	ready := new(atomic.Bool)
	ready.Store(true)
	a := New(Options{Rack: rack, Keys: keys, Metrics: metrics.New("0.0.0"), Log: slog.New(slog.DiscardHandler), Ready: ready})
	for _, test := range []struct {
		handler http.Handler
		method  string
		path    string
		status  int
		said    string
	}{
		{a, "GET", "/livez", 200, "ok\n"}, {a, "GET", "/readyz", 200, "ready\n"}, {a, "HEAD", "/readyz", 200, ""},
		{a, "POST", "/readyz", 401, ""}, {a, "GET", "/readyz/", 401, ""},
		{a.Health(), "GET", "/livez", 200, "ok\n"}, {a.Health(), "GET", "/readyz", 200, "ready\n"},
		{a.Health(), "GET", "/metrics", 404, ""}, {a.Health(), "POST", "/livez", 404, ""}, {a.Health(), "GET", "/v1/openapi.json", 404, ""},
	} {
		w := httptest.NewRecorder()
		test.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), test.method, "http://keyrack.example"+test.path, nil))
		if w.Code != test.status || test.said != "" && w.Body.String() != test.said {
			t.Errorf("%s %s: %d, %q", test.method, test.path, w.Code, w.Body)
		}
	}
}

// TestStreamsByKey: one key leaves the others their streams.
func TestStreamsByKey(t *testing.T) {
	s := newStreams(10, 5)
	for range 2 {
		if !s.begin("greedy") {
			t.Error("the share of a key is smaller than it should be")
		}
	}
	if s.begin("greedy") || !s.begin("other") {
		t.Error("one key takes what is another's")
	}
	s.end("greedy")
	if !s.begin("greedy") {
		t.Error("a stream that ended still counts")
	}
	if alone := newStreams(0, 0); alone.most != mostStreams {
		t.Errorf("%d streams without keys", alone.most)
	}
}
