package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// A token that does not open is read anew the next time: it may have been sealed
// again meanwhile.
func TestATokenThatDidNotOpenIsReadAnew(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		record, _ := b.Record(integrationID("a"))
		ref := store.Ref{Integration: record.ID, Digest: record.Keys[0].Digest}
		sound, err := f.store.Sealed(context.Background(), ref)
		if err != nil {
			t.Fatal(err)
		}
		put := func(old, value []byte) {
			t.Helper()
			if err := f.store.Reseal(context.Background(), ref, old, value); err != nil {
				t.Fatal(err)
			}
		}
		broken := []byte("sealed by nobody")
		put(sound, broken)
		if _, v, err := b.Token(context.Background(), record.ID); err == nil || v.Status != lifecycle.Unknown {
			t.Errorf("what does not open is %v, %v", v.Status, err)
		}
		put(broken, sound)
		if token, _, err := b.Token(context.Background(), record.ID); err != nil || token.Reveal() != tokenText("k") {
			t.Errorf("what opens again: %v", err)
		}
	})
}

// TestPlusInSecret: a secret with a plus sign matches however the URL that was registered
// spells it, and so does one with a blank; nothing else does.
func TestPlusInSecret(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	for secret, queries := range map[string]map[string]int{
		"a+b/c=": {"a+b/c=": 204, "a%2Bb%2Fc%3D": 204, "a%2bb/c%3D": 204, "a%20b/c=": 401, "a+b": 401, "": 401},
		"a b":    {"a+b": 204, "a%20b": 204, "a%2Bb": 401},
	} {
		h, err := rack.Handler([]keyrack.Secret{{Name: "only", Value: keyrack.NewToken(secret)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range queries {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", keyrack.DefaultPath+"?Token="+query, strings.NewReader("{}")))
			if w.Code != want {
				t.Errorf("%q for %q: %d, want %d", query, secret, w.Code, want)
			}
		}
	}
}

// TestSecretsThatNeverMatch: what no registered URL has, and what would not tell two secrets
// apart, is refused with what to do.
func TestSecretsThatNeverMatch(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	for text, want := range map[string]string{
		"needle\n": "cut it off", " needle": "cut it off", "needle\t": "cut it off", "nee\x00dle": "control character", "nee\r\ndle": "control character",
		"needle": "", "nee dle": "", "ü+&=%": "",
	} {
		_, err := rack.Handler([]keyrack.Secret{{Name: "2026", Value: keyrack.NewToken(text)}}, nil)
		if want == "" && err != nil || want != "" && (!errors.Is(err, keyrack.ErrInvalid) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"2026"`)) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "nee") {
			t.Errorf("the error quotes the secret: %v", err)
		}
	}
	same := keyrack.NewToken("needle")
	_, err = rack.Handler([]keyrack.Secret{{Name: "new", Value: same}, {Name: "old", Value: same}}, nil)
	if !errors.Is(err, keyrack.ErrInvalid) || !strings.Contains(err.Error(), `"old" and "new"`) && !strings.Contains(err.Error(), `"new" and "old"`) {
		t.Errorf("the same value twice: %v", err)
	}
}

// TestSecretByName: telemetry is told which secret came, by its name, also with what is
// refused for another reason.
func TestSecretByName(t *testing.T) {
	var told []string
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{Telemetry: &keyrack.Telemetry{
		Answered: func(_ context.Context, r keyrack.ServedRequest) {
			told = append(told, fmt.Sprint(r.Status, " ", r.Secret))
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	h, err := rack.Handler([]keyrack.Secret{{Name: "2026", Value: keyrack.NewToken("new")}, {Name: "2025", Value: keyrack.NewToken("old")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct{ query, body string }{
		{"?Token=new", enabledBody}, {"?Token=old", enabledBody}, {"?Token=old", generalBody}, {"?Token=old", "{"}, {"?Token=wrong", enabledBody}, {"", enabledBody},
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", keyrack.DefaultPath+one.query, strings.NewReader(one.body)))
	}
	if want := []string{"204 2026", "204 2025", "204 2025", "400 2025", "401 ", "401 "}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// TestGeneralSeesNoSecret: the application's handler of General Webhooks gets the request
// without the secret, wherever on the way it was put.
func TestGeneralSeesNoSecret(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	var seen string
	general := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		kept := req.FormValue("kept")
		body, err := io.ReadAll(req.Body)
		seen = fmt.Sprintf("%s %s %q %v %v %v", req.URL, req.RequestURI, kept, req.Form, req.Header, err)
		if string(body) != generalBody {
			t.Errorf("the body is %q", body)
		}
	})
	h, err := rack.Handler([]keyrack.Secret{{Name: "2026", Value: keyrack.NewToken("needle")}}, &keyrack.HandlerOptions{General: general})
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"?Token=needle&kept=a+b", "?kept=a+b&Token=needle", "?kept=a+b&%54oken=needle", "?kept=a+b&Token=n%65edle"} {
		req := httptest.NewRequestWithContext(t.Context(), "POST", keyrack.DefaultPath+query, strings.NewReader(generalBody))
		req.Header.Set("X-Original-URI", keyrack.DefaultPath+query)
		req.Header.Set("X-Forwarded-Uri", keyrack.DefaultPath+query)
		if err := req.ParseForm(); err != nil { // as a middleware may have done
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != http.StatusOK || strings.Contains(seen, "needle") || strings.Contains(seen, "n%65edle") || !strings.Contains(seen, `"a b"`) {
			t.Errorf("%s: %d, the handler sees %s", query, w.Code, seen)
		}
		if req.URL.RawQuery != query[1:] {
			t.Errorf("the request that came has another query now: %s", req.URL.RawQuery)
		}
	}
}
