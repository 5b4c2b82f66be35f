package main

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
)

// Keys of the API for tests: the name with canary- in front.
var testKeys = func() string {
	var lines []string
	for _, k := range []apiKey{
		{name: "reader", scopes: scopeRead}, {name: "asker", scopes: scopeIntrospect},
		{name: "holder", scopes: scopeRead | scopeToken}, {name: "reporter", scopes: scopeEvidence}, {name: "boss", scopes: scopeAdmin},
	} {
		k.sum = sha256.Sum256([]byte("canary-" + k.name))
		lines = append(lines, k.String())
	}
	return strings.Join(lines, "\n")
}()

const (
	sampleToken = "9E5E84E9974D4F169662AB2200F27CB1-00B343A0DDA725CACAC028E38E3EABF"
	theSample   = "9e5e84e9-974d-4f16-9662-ab2200f27cb1"
)

// lonely keeps no connection, and so no goroutine.
var lonely = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// reply is what came back for a request.
type reply struct {
	status int
	header http.Header
	body   string
}

// call makes a request to the API, with the key of a name where that is not empty.
func call(t testing.TB, addr, key, method, target, media, body string) reply {
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
	resp, err := lonely.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// readReply reads a reply that should be a 200 with JSON.
func readReply[T any](t testing.TB, r reply) (value T) {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("answered %d: %s", r.status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// deliver delivers a file of testdata/bodies.
func deliver(t testing.TB, p *process, file string) {
	t.Helper()
	body, err := demo.Body(file)
	if err != nil {
		t.Fatal(err)
	}
	r := call(t, p.webhooks, "", http.MethodPost, "/webhooks/mews?Token="+secret, "application/json", string(body))
	if r.status != http.StatusNoContent {
		t.Fatalf("%s: answered %d", file, r.status)
	}
}

// introspected asks about the token of Mews's documentation.
func introspected(t testing.TB, p *process, key string) introspection {
	t.Helper()
	return readReply[introspection](t, call(t, p.api, key, http.MethodPost, introspectPath,
		"application/x-www-form-urlencoded", "token="+sampleToken))
}
