package api

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestConsolePath: what is under the console's path is the console's alone, without the
// prefix. Without keys it has to be this machine's; with keys the console asks for one.
func TestConsolePath(t *testing.T) {
	var got string
	console := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { got = req.URL.RequestURI() })
	keys, err := ParseKeys("reader read "+sum("a-key"), "the test", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		keys                    Keys
		host, origin, path, got string
		status                  int
	}{
		{nil, "127.0.0.1:8081", "", "/console/", "/", 200},
		{nil, "localhost", "http://localhost:8081", "/console/entry?at=1", "/entry?at=1", 200},
		{nil, "evil.example", "", "/console/", "", 403},
		{nil, "127.0.0.1", "https://evil.example", "/console/", "", 403},
		{nil, "127.0.0.1", "", "/console", "", 404},
		{nil, "127.0.0.1", "", "/consoles/", "", 404},
		{keys, "keyrack.example", "https://keyrack.example", "/console/settings", "/settings", 200},
		{keys, "keyrack.example", "", "/v1/integrations", "", 401},
	} {
		got = ""
		req := httptest.NewRequest(http.MethodGet, c.path, nil)
		req.Host = c.host
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		New(Options{Keys: c.keys, Console: console}).ServeHTTP(w, req)
		if w.Code != c.status || got != c.got {
			t.Errorf("%s of %s from %q: %d, %q; want %d, %q", c.path, c.host, c.origin, w.Code, got, c.status, c.got)
		}
	}
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "/console/", nil)
	req.Host = "localhost"
	if New(Options{}).ServeHTTP(w, req); w.Code != http.StatusNotFound {
		t.Errorf("without a console: %d", w.Code)
	}
}

// TestReader: the name of a key is returned if it may read, and of no other; only one with the
// scope admin is an admin.
func TestReader(t *testing.T) {
	keys, err := ParseKeys("r read "+sum("r")+"\na admin "+sum("a")+"\ni introspect,token,report "+sum("i"), "the test", nil)
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"r": "r", "a": "a", "i": "", "": "", "other": ""} {
		if got := keys.Reader(value); got != want {
			t.Errorf("%q is %q, want %q", value, got, want)
		}
	}
	for name, want := range map[string]bool{"r": false, "a": true, "i": false, "": false, "other": false} {
		if got := keys.Admin(name); got != want {
			t.Errorf("%q is an admin: %v", name, got)
		}
	}
}

func sum(value string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(value))) }
