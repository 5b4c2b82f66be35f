package sidecartest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// APIKeys are lines of keys of the API, for --api-keys-file. The key of a name is the
// name with canary- in front.
var APIKeys = func() string {
	var lines []string
	for _, k := range []struct{ name, scopes string }{
		{"reader", "read"}, {"asker", "introspect"}, {"holder", "read,token"}, {"reporter", "report"}, {"boss", "admin"},
	} {
		lines = append(lines, fmt.Sprintf("%s %s %x", k.name, k.scopes, sha256.Sum256([]byte("canary-"+k.name))))
	}
	return strings.Join(lines, "\n")
}()

const (
	SampleToken       = "9E5E84E9974D4F169662AB2200F27CB1-00B343A0DDA725CACAC028E38E3EABF"
	SampleIntegration = "9e5e84e9-974d-4f16-9662-ab2200f27cb1"
)

// Client keeps no connection, and so no goroutine.
var Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: testkit.Patience}

// Reply is what came back for a request.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// Call makes a request to the API, with the key of a name where that is not empty.
func Call(t testing.TB, addr, key, method, target, media, body string) Reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer canary-"+key)
	}
	resp, err := Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Reply{resp.StatusCode, resp.Header, string(text)}
}

// Read reads a reply that should be a 200 with JSON.
func Read[T any](t testing.TB, r Reply) (value T) {
	t.Helper()
	if r.Status != http.StatusOK {
		t.Fatalf("answered %d: %s", r.Status, r.Body)
	}
	if err := json.Unmarshal([]byte(r.Body), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// Secret is the webhook secret of tests.
const Secret = "canary-secret"

// Deliver posts a webhook to a listener with the Secret, and fails unless it is accepted.
func Deliver(t testing.TB, addr string, body []byte) {
	t.Helper()
	r := Call(t, addr, "", http.MethodPost, "/webhooks/mews?Token="+Secret, "application/json", string(body))
	if r.Status != http.StatusNoContent {
		t.Fatalf("answered %d to a webhook", r.Status)
	}
}
