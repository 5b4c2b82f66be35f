package api

import (
	"encoding/json"
	"fmt"
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
	"github.com/keyrack-dev/keyrack/memstore"
)

// desk is an API in virtual time, with one hotel.
type desk struct {
	*testing.T
	rack   *keyrack.Rack
	server *Server
	key    string
}

func atDesk(t *testing.T, test func(desk)) {
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		value, key := NewKey("boss", ScopeAdmin)
		d := desk{t, rack, New(Options{
			Rack: rack, Keys: Keys{key}, Metrics: metrics.New("0.0.0"), Log: slog.New(slog.DiscardHandler), Ready: new(atomic.Bool), Ending: make(chan struct{}),
		}), value}
		d.deliver("created.json")
		test(d)
	})
}

func (d desk) deliver(file string) {
	d.Helper()
	body, err := demo.Body(file)
	if err == nil {
		_, err = d.rack.Deliver(d.Context(), body)
	}
	if err != nil {
		d.Fatal(err)
	}
}

// post posts JSON and returns the status and what the answer says.
func (d desk) post(path, body, repeat string) (int, map[string]any) {
	d.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+d.key)
	if repeat != "" {
		req.Header.Set("Idempotency-Key", repeat)
	}
	w := httptest.NewRecorder()
	d.server.ServeHTTP(w, req)
	said := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
		d.Fatal(err)
	}
	return w.Code, said
}

// report reports an answer and returns whether it was journalled, and the verdict.
func (d desk) report(status int, elapsed time.Duration, repeat string) string {
	d.Helper()
	token := "9E5E84E9974D4F169662AB2200F27CB1-00B343A0DDA725CACAC028E38E3EABF"
	code, said := d.post("/v1/report", fmt.Sprintf(`{"token":%q,"status":%d,"elapsed_ms":%d}`, token, status, elapsed.Milliseconds()), repeat)
	if code != http.StatusOK {
		d.Fatalf("answered %d: %v", code, said)
	}
	return fmt.Sprintf("%v %v", said["journalled"], said["status"])
}

// TestReportsByDuration: a call begins, the hotel disables a second later, and the call's
// 200 is reported by a host whose clock is two minutes ahead. The report has no place for
// that clock, and the call does not count as the later.
func TestReportsByDuration(t *testing.T) {
	atDesk(t, func(d desk) {
		time.Sleep(time.Hour)
		d.deliver("disabled.json")
		time.Sleep(10 * time.Second)
		ahead := time.Now().Add(2 * time.Minute).Format(time.RFC3339)
		if code, said := d.post("/v1/report", `{"token":"t","status":200,"began":"`+ahead+`"}`, ""); code != http.StatusBadRequest || !strings.Contains(fmt.Sprint(said["detail"]), "send elapsed_ms") {
			t.Errorf("a time of day: %d, %v", code, said)
		}
		for _, elapsed := range []time.Duration{11 * time.Second, 0, 1 << 62} {
			if got := d.report(200, elapsed, ""); got != "false invalid" {
				t.Errorf("%v ago: %s", elapsed, got)
			}
		}
		time.Sleep(time.Minute)
		if got := d.report(200, time.Second, ""); got != "true valid" {
			t.Errorf("a call that certainly began later: %s", got)
		}
	})
}

// TestIdempotencyKey: a report that is sent again counts once, and one that failed again.
func TestIdempotencyKey(t *testing.T) {
	atDesk(t, func(d desk) {
		time.Sleep(time.Hour)
		if got := d.report(401, 0, "one"); got != "true unknown" {
			t.Errorf("the first: %s", got)
		}
		d.deliver("disabled.json")
		time.Sleep(time.Hour)
		if got := d.report(200, 0, "one"); got != "false invalid" {
			t.Errorf("the same key again: %s", got)
		}
		if got := d.report(200, 0, "two"); got != "true valid" {
			t.Errorf("another key: %s", got)
		}
		for range 2 {
			if code, _ := d.post("/v1/report", `{"token":"nobody's","status":200,"elapsed_ms":0}`, "three"); code != http.StatusNotFound {
				t.Errorf("a report that fails: %d", code)
			}
		}
		if code, _ := d.post("/v1/report", `{"token":"t","status":200,"elapsed_ms":0}`, strings.Repeat("k", 256)); code != http.StatusBadRequest {
			t.Errorf("a key that is too long: %d", code)
		}
	})
}
