package main

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// fragile is a store whose journal can be made to fail.
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

func (f *fragile) History(ctx context.Context, integration string) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) { yield(store.Entry{}, errBroken) }
}

// TestDegraded: while the store cannot be read, questions are answered from memory,
// and whoever watches learns of it.
func TestDegraded(t *testing.T) {
	s := &fragile{Store: memstore.New(nil)}
	rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	body, err := bodies.ReadFile("testdata/bodies/created.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rack.Deliver(t.Context(), body); err != nil {
		t.Fatal(err)
	}
	var log buffer
	ready := new(atomic.Bool)
	ready.Store(true)
	a := newAPI(&api{rack: rack, meter: newMeter(), log: slog.New(slog.NewTextHandler(&log, nil)), ready: ready})
	get := func(target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+target, nil)
		a.ServeHTTP(w, req)
		return w
	}
	if w := get("/readyz"); w.Code != http.StatusOK || w.Body.String() != "ready\n" {
		t.Errorf("readyz: %d, %s", w.Code, w.Body)
	}
	s.broken.Store(true)
	eventually(t, "the journal to be out of reach", func() bool { return rack.Following().Err != nil })
	if w := get("/readyz"); w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), "degraded: ") {
		t.Errorf("readyz: %d, %s", w.Code, w.Body)
	}
	page := get("/metrics").Body.String()
	if !strings.Contains(page, "keyrack_store_readable 0\n") || strings.Contains(page, "keyrack_journal_lag") {
		t.Errorf("the metrics:\n%s", page)
	}
	wellFormed(t, page)
	if w := get(integrationsPath + "/" + theSample); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"status":"valid"`) {
		t.Errorf("from memory: %d, %s", w.Code, w.Body)
	}
	d := describe(t)
	for path, target := range map[string]string{
		integrationsPath + "/{id}/history": integrationsPath + "/" + theSample + "/history",
		integrationsPath + "/{id}/explain": integrationsPath + "/" + theSample + "/explain",
		"/v1/changes":                      "/v1/changes",
	} {
		w := get(target)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d", target, w.Code)
		}
		d.check(t, http.MethodGet, path, reply{w.Code, w.Header(), w.Body.String()})
		silent(t, target, w.Body.String())
	}
	silent(t, "the log", log.String())
	ready.Store(false)
	if w := get("/readyz"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d, %s", w.Code, w.Body)
	}
}
