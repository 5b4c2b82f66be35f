package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// visitor is a browser at the operator's page.
type visitor struct {
	*testing.T
	client http.Client
	home   string
}

func visit(t *testing.T, p *process) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t, http.Client{Jar: jar, Timeout: testkit.Patience}, "http://" + p.api + "/console/"}
}

// get returns the status and the text of a page.
func (v visitor) get(path string) (int, string) { return v.send(http.MethodGet, path, nil, nil) }

func (v visitor) send(method, path string, form url.Values, header http.Header) (int, string) {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), method, v.home+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, values := range header {
		req.Header[name] = values
		if name == "Host" {
			req.Host = values[0]
		}
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	sidecartest.Silent(v.T, path, string(body))
	return resp.StatusCode, string(body)
}

// TestConsoleOfServe: without keys this machine may read the operator's page, and no web
// page of another machine gets an answer. It shows where each setting comes from.
func TestConsoleOfServe(t *testing.T) {
	p := serving(t, map[string]string{"KEYRACK_HORIZON": "1h"}, "--retention-entries=7")
	body, err := demo.Body("created.json")
	if err != nil {
		t.Fatal(err)
	}
	sidecartest.Deliver(t, p.webhooks, body)
	v := visit(t, p)
	for path, want := range map[string]string{
		"":             "<b>1</b> <span>valid</span>",
		"integrations": ">1 integration",
		"settings":     "<bdi>--horizon</bdi></b></div><div><code>1h0m0s</code></div><div class=\"meta\">environment</div>",
		"settings?":    "<bdi>--retention-entries</bdi></b></div><div><code>7</code></div><div class=\"meta\">flag</div>",
		"settings?a":   "<bdi>KEYRACK_WEBHOOK_SECRET</bdi></b></div><div><code>set</code></div>",
		"style.css":    "color-scheme",
	} {
		if code, page := v.get(path); code != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("%q: %d, without %q\n%s", path, code, want, page)
		}
	}
	for name, header := range map[string]http.Header{
		"another host":   {"Host": {"evil.example"}},
		"another origin": {"Origin": {"https://evil.example"}},
	} {
		if code, page := v.send(http.MethodGet, "", nil, header); code != http.StatusForbidden || strings.Contains(page, "<html") {
			t.Errorf("%s: %d\n%s", name, code, page)
		}
	}
}

// TestConsoleWithKeys: with keys a visitor signs in with one that may read. The key itself is
// in no answer, and a key with another scope opens nothing. With the scope admin they may do
// something, which is journalled under the name of the key; with read alone nothing.
func TestConsoleWithKeys(t *testing.T) {
	p := serving(t, map[string]string{api.KeysVariable: sidecartest.APIKeys})
	v := visit(t, p)
	if code, page := v.get("integrations"); code != http.StatusUnauthorized || !strings.Contains(page, "Sign in") {
		t.Errorf("without a session: %d\n%s", code, page)
	}
	for _, key := range []string{"", "canary", "canary-asker"} {
		if code, _ := v.send(http.MethodPost, "signin", url.Values{"key": {key}}, nil); code != http.StatusForbidden {
			t.Errorf("a key that may not read: %d", code)
		}
	}
	if code, page := v.send(http.MethodPost, "signin", url.Values{"key": {"canary-reader"}, "to": {"settings"}}, nil); code != http.StatusOK || !strings.Contains(page, "Signed in as") || !strings.Contains(page, "<h1>Settings</h1>") {
		t.Errorf("signing in leads to %d\n%s", code, page)
	}
	body, err := demo.Body("created.json")
	if err != nil {
		t.Fatal(err)
	}
	sidecartest.Deliver(t, p.webhooks, body)
	const one = "id=9e5e84e9-974d-4f16-9662-ab2200f27cb1"
	settle := url.Values{"do": {"settle"}, "about": {strings.TrimPrefix(one, "id=")}, "enabled": {"no"}}
	if code, page := v.get("integration?" + one); code != http.StatusOK || strings.Contains(page, "act?") {
		t.Errorf("a key that may read is offered acts: %d\n%s", code, page)
	}
	if code, _ := v.send(http.MethodPost, "preview", settle, nil); code != http.StatusForbidden {
		t.Errorf("a key that may read settles: %d", code)
	}
	if code, _ := v.send(http.MethodPost, "signout", url.Values{}, nil); code != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", code)
	}
	if code, page := v.send(http.MethodPost, "signin", url.Values{"key": {"canary-boss"}, "to": {"integration?" + one}}, nil); code != http.StatusOK || !strings.Contains(page, "act?do=settle") {
		t.Errorf("a key with the scope admin is offered no acts: %d\n%s", code, page)
	}
	_, page := v.send(http.MethodPost, "preview", settle, nil)
	ticket := regexp.MustCompile(`name="ticket" value="([^"]*)"`).FindStringSubmatch(page)
	if ticket == nil {
		t.Fatalf("there is nothing to confirm\n%s", page)
	}
	code, page := v.send(http.MethodPost, "do", url.Values{"ticket": {ticket[1]}, "who": {"Kim"}, "why": {"the hotel called"}}, nil)
	if code != http.StatusOK || !strings.Contains(page, "Your word was taken in.") || !strings.Contains(page, "by <bdi>boss</bdi>; <bdi>Kim</bdi> says") {
		t.Errorf("settling leads to %d\n%s", code, page)
	}
	p.signal()
	if code := p.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	sidecartest.Silent(t, "stderr", p.stderr.String())
}
