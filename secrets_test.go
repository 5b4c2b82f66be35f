package keyrack_test

import (
	"context"
	"net/http/httptest"
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
