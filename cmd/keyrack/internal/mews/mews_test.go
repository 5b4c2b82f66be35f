package mews_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/mews"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// client is a program that is tried against a Mews: it keeps every byte that it gets.
type client struct {
	t    *testing.T
	mews http.Handler
	got  bytes.Buffer
}

func newClient(t *testing.T, answer int) *client {
	c := &client{t: t}
	receiver := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(&c.got, "webhook %s\n", body)
		w.WriteHeader(answer)
	})
	c.mews = mews.New(mews.Options{
		Seed: 3, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), URL: "http://receiver.test/webhooks/mews",
		Transport: mewstest.Transport(receiver), ClientToken: lifecycle.NewToken("client"),
	})
	return c
}

// call sends a request and returns the answer's status and document.
func (c *client) call(method, path, body string) (int, map[string]any) {
	c.t.Helper()
	req := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	c.mews.ServeHTTP(recorder, req)
	res := recorder.Result()
	bytes, err := httputil.DumpResponse(res, true)
	if err != nil {
		c.t.Fatal(err)
	}
	c.got.Write(bytes)
	var document map[string]any
	if err := json.NewDecoder(recorder.Body).Decode(&document); err != nil {
		c.t.Fatalf("%s %s: %d: %v", method, path, res.StatusCode, err)
	}
	return res.StatusCode, document
}

// must is call for what succeeds.
func (c *client) must(method, path, body string) map[string]any {
	c.t.Helper()
	status, document := c.call(method, path, body)
	if status > 299 {
		c.t.Fatalf("%s %s: %d %v", method, path, status, document)
	}
	return document
}

// connect connects a hotel, and returns its id.
func (c *client) connect(hotel string) string {
	c.t.Helper()
	d := c.must("POST", "/control/integrations", fmt.Sprintf(`{"hotel":%q}`, hotel))
	return d["integration"].(map[string]any)["id"].(string)
}

// sent lists the webhooks of a document, as "action outcome status".
func sent(document map[string]any) string {
	var lines []string
	all, _ := document["webhooks"].([]any)
	for _, one := range all {
		w := one.(map[string]any)
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%v %v %v", strings.TrimPrefix(w["action"].(string), "Integration"), w["outcome"], orNone(w["status"]))))
	}
	return strings.Join(lines, ", ")
}

func orNone(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// configurationGet asks whether a token works.
func (c *client) configurationGet(token any) int {
	status, _ := c.call("POST", "/api/connector/v1/configuration/get", fmt.Sprintf(`{"ClientToken":"client","AccessToken":%q,"Client":"Test 1"}`, token))
	return status
}

// A hotel lives, and every answer tells what was sent and what the truth is.
func TestAHotelsLife(t *testing.T) {
	c := newClient(t, http.StatusNoContent)
	d := c.must("POST", "/control/integrations", `{"hotel":"Alpenrose","service":"Stay"}`)
	hotel := d["integration"].(map[string]any)
	if sent(d) != "Created delivered 204" || hotel["works"] != true || c.configurationGet(hotel["token"]) != http.StatusOK {
		t.Fatalf("connected: %v", d)
	}
	path := "/control/integrations/" + strings.ToUpper(hotel["id"].(string)) // any spelling
	for _, step := range []struct {
		act, sent string
		works     bool
	}{
		{"disable", "Disabled delivered 204", false},
		{"disable", "", false}, // it is disabled already
		{"enable", "Enabled delivered 204", true},
		{"cancel", "Canceled delivered 204", false},
		{"reinstate", "Reinstated delivered 204", true},
		{"rotate", "ApiKeyCreated delivered 204", true},
		{"delete", "Deleted delivered 204", false},
		{"enable", "", false},
	} {
		d := c.must("POST", path+"/"+step.act, "")
		now := d["integration"].(map[string]any)
		if sent(d) != step.sent || now["works"] != step.works {
			t.Errorf("%s: works %v, sent %q, want %v and %q", step.act, now["works"], sent(d), step.works, step.sent)
		}
		if want := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[step.works]; c.configurationGet(now["token"]) != want {
			t.Errorf("%s: the Connector API does not answer %d", step.act, want)
		}
	}
	if all := c.must("GET", "/control/integrations", "")["integrations"].([]any); len(all) != 1 {
		t.Errorf("%d integrations, want 1", len(all))
	}
	if got := sent(c.must("GET", "/control/webhooks", "")); strings.Count(got, "delivered") != 7 {
		t.Errorf("webhooks so far: %s", got)
	}
}

// The next webhook meets the fate that it is given.
func TestFatesOfWebhooks(t *testing.T) {
	for fate, want := range map[string]string{
		`{"lose":true}`:      "Disabled lost; Enabled delivered 204; ",
		`{"duplicate":true}`: "Disabled delivered 204, Disabled delivered 204; Enabled delivered 204; ",
		`{"delay":"1m"}`:     "; Enabled delivered 204; Disabled delivered 204",
		`{"reorder":true}`:   "; Enabled delivered 204, Disabled delivered 204; ",
	} {
		c := newClient(t, http.StatusNoContent)
		path := "/control/integrations/" + c.connect("Alpenrose")
		c.must("POST", "/control/webhooks/next", fate)
		var got []string
		for _, call := range [][2]string{{path + "/disable", ""}, {path + "/enable", ""}, {"/control/clock", `{"advance":"1h"}`}} {
			got = append(got, sent(c.must("POST", call[0], call[1])))
		}
		if is := strings.Join(got, "; "); is != want {
			t.Errorf("%s: %q, want %q", fate, is, want)
		}
	}
}

// What a receiver refuses is sent again by the clock, and given up after three attempts.
func TestRetriesFollowTheClock(t *testing.T) {
	c := newClient(t, http.StatusServiceUnavailable)
	d := c.must("POST", "/control/integrations", `{"hotel":"Alpenrose"}`)
	if sent(d) != "Created failed 503" {
		t.Fatalf("sent: %s", sent(d))
	}
	if got := sent(c.must("POST", "/control/clock", `{"set":"2026-01-02T00:00:00Z"}`)); got != "Created failed 503, Created failed 503, Created given up" {
		t.Errorf("in a day: %s", got)
	}
	if now := c.must("GET", "/control/clock", "")["now"]; now != "2026-01-02T00:00:00Z" {
		t.Errorf("the clock stands at %v", now)
	}
}

// The Connector API ails as it is told to.
func TestTroubles(t *testing.T) {
	c := newClient(t, http.StatusNoContent)
	d := c.must("POST", "/control/integrations", `{"hotel":"Alpenrose"}`)
	token := d["integration"].(map[string]any)["token"]
	for _, trouble := range []struct {
		body string
		want int
	}{
		{`{"refuse_client_token":true}`, 401}, {`{}`, 200}, {`{"status":503}`, 503}, {`{"status":429}`, 429}, {`{"latency":"10ms"}`, 200}, {``, 200},
	} {
		c.must("POST", "/control/connector", trouble.body)
		if got := c.configurationGet(token); got != trouble.want {
			t.Errorf("%s: the Connector API answers %d, want %d", trouble.body, got, trouble.want)
		}
	}
}

// Bad calls change nothing, and are told what to send instead.
func TestBadCalls(t *testing.T) {
	c := newClient(t, http.StatusNoContent)
	path := "/control/integrations/" + c.connect("Alpenrose")
	before := c.got.Len()
	for _, bad := range []struct {
		method, path, body string
		status             int
		detail             string
	}{
		{"POST", "/control/integrations", `{}`, 400, `"hotel" is missing`},
		{"POST", "/control/integrations", `{"hotel":" "}`, 400, `"hotel" is missing`},
		{"POST", "/control/integrations", `{"name":"x","hotle":"y"}`, 400, "hotle"},
		{"POST", "/control/integrations", `{"hotel":"a"} {"hotel":"b"}`, 400, "more than one"},
		{"POST", "/control/integrations", "{" + strings.Repeat(" ", 70_000), 413, "longer than"},
		{"POST", path + "/destroy", "", 404, "can be enabled"},
		{"POST", "/control/integrations/none/enable", "", 404, "GET /control/integrations"},
		{"GET", "/control/integrations/none", "", 404, "GET /control/integrations"},
		{"POST", "/control/webhooks/next", `{}`, 400, "nothing is to happen"},
		{"POST", "/control/webhooks/next", `{"lose":true,"delay":"1m"}`, 400, "lose"},
		{"POST", "/control/webhooks/next", `{"reorder":true,"delay":"1m"}`, 400, "reorder"},
		{"POST", "/control/webhooks/next", `{"delay":"-1m"}`, 400, "duration"},
		{"POST", "/control/connector", `{"status":200}`, 400, "400 to 599"},
		{"POST", "/control/connector", `{"latency":"2h"}`, 400, "longer than a minute"},
		{"POST", "/control/clock", `{"set":"2025-01-01T00:00:00Z"}`, 400, "cannot go back"},
		{"POST", "/control/clock", `{"advance":"200000h"}`, 400, "ten years"},
		{"POST", "/control/clock", `{"advance":"1h","set":"2027-01-01T00:00:00Z"}`, 400, "not both"},
		{"GET", "/nowhere", "", 404, "/control/integrations"},
	} {
		status, document := c.call(bad.method, bad.path, bad.body)
		if detail, _ := document["detail"].(string); status != bad.status || !strings.Contains(detail, bad.detail) {
			t.Errorf("%s %s %.40s: %d %q, want %d and %q", bad.method, bad.path, bad.body, status, detail, bad.status, bad.detail)
		}
	}
	if strings.Contains(c.got.String()[before:], "webhook {") {
		t.Error("a bad call sent a webhook")
	}
}

// A page of a foreign site that resolves to this machine reaches nothing.
func TestForeignHostsAreRefused(t *testing.T) {
	m := mews.New(mews.Options{Seed: 1, Start: time.Unix(1, 0)})
	for host, want := range map[string]int{"evil.example": 403, "localhost:8082": 200, "[::1]:8082": 200} {
		req := httptest.NewRequest(http.MethodGet, "/control/clock", nil)
		req.Host = host
		answer := httptest.NewRecorder()
		m.ServeHTTP(answer, req)
		if answer.Code != want {
			t.Errorf("Host %s: %d, want %d", host, answer.Code, want)
		}
	}
}

// The same seed and the same calls give the same bytes: every answer with its headers, and
// every webhook.
func TestSameBytes(t *testing.T) {
	times := 50
	if os.Getenv("KEYRACK_LONG") != "" {
		times = 1000
	}
	run := func() string {
		c := newClient(t, http.StatusNoContent)
		for _, name := range []string{"Alpenrose", "Bellevue", "Krone"} {
			path := "/control/integrations/" + c.connect(name)
			for _, fate := range []string{`{"duplicate":true}`, `{"reorder":true}`, `{"delay":"7m"}`} {
				c.must("POST", "/control/webhooks/next", fate)
			}
			for _, act := range []string{"disable", "rotate", "enable", "cancel", "reinstate", "delete"} {
				d := c.must("POST", path+"/"+act, "")
				c.configurationGet(d["integration"].(map[string]any)["token"])
			}
		}
		c.must("POST", "/control/clock", `{"advance":"1h"}`)
		c.must("GET", "/control/webhooks", "")
		return c.got.String()
	}
	first := run()
	if strings.Count(first, "webhook {") < 20 {
		t.Fatal("too few webhooks to prove anything")
	}
	for n := range times {
		if run() != first {
			t.Fatalf("run %d gave other bytes than the first", n+2)
		}
	}
}
