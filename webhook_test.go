package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	delivery    = "POST /webhooks/mews?Token=current"
	enabledBody = `{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"c8bee838-7fb1-4f4e-8fac-ac87008b2f90","Name":"Sample"}}}`
)

// padded returns a delivery of a size, in bytes.
func padded(size int) string {
	return enabledBody + strings.Repeat(" ", size-len(enabledBody))
}

// A handler that anybody can deliver to must be asked for.
func TestHandlerWithoutSecret(t *testing.T) {
	r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, test := range []struct {
		name    string
		secrets []keyrack.Secret
		options *keyrack.HandlerOptions
		ok      bool
	}{
		{"nothing said", nil, nil, false},
		{"an empty secret", []keyrack.Secret{{Name: "empty"}}, nil, false},
		{"an empty secret beside a good one", []keyrack.Secret{{Name: "good", Value: keyrack.NewToken("good")}, {Name: "empty"}}, nil, false},
		{"said so", nil, &keyrack.HandlerOptions{WithoutSecret: true}, true},
		{"a secret", []keyrack.Secret{{Value: keyrack.NewToken("good")}}, nil, true},
	} {
		h, err := r.Handler(test.secrets, test.options)
		if (err == nil) != test.ok || (h != nil) != test.ok || err != nil && !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// What has begun is finished, though the caller has gone.
func TestCallerGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		slow := &slow{Store: s.mem}
		s.store.Store = slow
		s.start()
		defer s.close()
		client, there := net.Pipe()
		s.connections <- there
		go fmt.Fprintf(client, "%s HTTP/1.1\r\nHost: keyrack.test\r\nContent-Length: %d\r\n\r\n%s", delivery, len(enabledBody), enabledBody)
		time.Sleep(time.Second)
		client.Close()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if slow.err != nil {
			t.Errorf("the store's context ended with the caller: %v", slow.err)
		}
		var b strings.Builder
		s.inside(&b)
		if !strings.Contains(b.String(), "journal: entry 1") {
			t.Errorf("not in the journal: %s", b.String())
		}
	})
}

// slow commits after three seconds.
type slow struct {
	store.Store
	err error
}

func (s *slow) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	time.Sleep(3 * time.Second)
	s.err = ctx.Err()
	return s.Store.Commit(ctx, c)
}

// What the application does when it is told of an answer is contained.
func TestObserverPanics(t *testing.T) {
	r, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{
		Telemetry: &keyrack.Telemetry{Answered: func(context.Context, keyrack.ServedRequest) { panic("of the observer") }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h, err := r.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	for body, want := range map[string]int{enabledBody: http.StatusNoContent, generalBody: http.StatusNoContent, "{": http.StatusBadRequest} {
		answer, err := http.Post(srv.URL+keyrack.DefaultPath, "", strings.NewReader(body))
		if err != nil {
			t.Fatalf("the answer was lost: %v", err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("answered %d, want %d", answer.StatusCode, want)
		}
	}
}

// What is quick says what is thorough.
func TestPresentedInIsAsURL(t *testing.T) {
	part := rapid.SampledFrom([]string{"Token", "token", "T%6Fken", "%54oken", "=", "=", "&", "&", ";", "+", "%", "%20", "%zz", "a", "secret", "%26"})
	rapid.Check(t, func(t *rapid.T) {
		raw := strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "query"), "")
		query, _ := url.ParseQuery(raw) // what does not parse is left out
		want := query["Token"]
		escaped, ok := keyrack.PresentedIn(raw)
		value, err := url.QueryUnescape(escaped)
		if err != nil {
			t.Errorf("%q: %q does not unescape", raw, escaped)
		}
		if ok != (len(want) == 1) || ok && value != want[0] {
			t.Errorf("%q: %q, %v; package url says %q", raw, value, ok, want)
		}
	})
}

func TestMayNameRequestor(t *testing.T) {
	bodies, err := filepath.Glob("events/testdata/bodies/*.json")
	if err != nil {
		t.Fatal(err)
	}
	spared := 0
	for _, name := range bodies {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, variant := range [][]byte{body, bytes.ToLower(body), bytes.ToUpper(body), bytes.ReplaceAll(body, []byte("Requestor"), []byte(`\u0052equestor`)), bytes.ReplaceAll(body, []byte("Requestor"), []byte("requeſtor"))} {
			stripped, err := events.WithoutRequestor(variant)
			if err == nil && !keyrack.MayNameRequestor(variant) {
				spared++
				if !bytes.Equal(stripped, variant) {
					t.Errorf("%s: there is something to be taken out", name)
				}
			}
		}
	}
	if spared == 0 {
		t.Error("nothing was spared")
	}
	for body, may := range map[string]bool{
		`{"Data":{"Requestor":null,"IsEnabled":true}}`:               false,
		`{"Data":{"Requestor":null},"New":{"Requestor":null}}`:       false,
		`{"Data":{"Requestor":null},"New":{"Requestor":{"Name":1}}}`: true,
		`{"Data":{"Requestor":null},"New":{"requestor":"somebody"}}`: true,
		`{"Data":{"Requestor":"null"}}`:                              true,
		`{"Data":{"Requestor" :null}}`:                               true, // a second reading tells
	} {
		if got := keyrack.MayNameRequestor([]byte(body)); got != may {
			t.Errorf("%s: %v", body, got)
		}
	}
}

// TestAnyPath: with AnyPath the router decides about the path, whatever it has made of it.
func TestAnyPath(t *testing.T) {
	r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	secrets := []keyrack.Secret{{Name: "2026", Value: keyrack.NewToken("current")}}
	if _, err := r.Handler(secrets, &keyrack.HandlerOptions{AnyPath: true, Path: "/hooks"}); !errors.Is(err, keyrack.ErrInvalid) || !strings.Contains(err.Error(), "leave Path empty") {
		t.Errorf("AnyPath beside Path: %v", err)
	}
	h, err := r.Handler(secrets, &keyrack.HandlerOptions{AnyPath: true})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /tenants/{tenant}/mews", h)
	mux.Handle("/api/", http.StripPrefix("/api", h))
	for target, want := range map[string]int{
		"/tenants/4711/mews?Token=current": 204, "/tenants/47%2F11/mews?Token=current": 204, "/api/anything?Token=current": 204,
		"/tenants/4711/mews?Token=wrong": 401, "/elsewhere?Token=current": 404,
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", target, strings.NewReader(enabledBody)))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}
