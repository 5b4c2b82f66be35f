package keyrack_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/memstore"
)

// Whatever a body is: the handler does not panic, it answers one of the few
// statuses with one of the few texts, a 2xx is in the journal unless it is a
// General Webhook, a copy is answered as its original and moves nothing, and
// what is in the store folds and can be opened again.
func FuzzHandler(f *testing.F) {
	bodies, err := filepath.Glob("events/testdata/bodies/*.json")
	if err != nil || len(bodies) == 0 {
		f.Fatal("no bodies to begin with: ", err)
	}
	for _, name := range bodies {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(generalBody))
	f.Add([]byte(padded(2 << 10)))
	f.Fuzz(func(t *testing.T, body []byte) {
		const limit = 1 << 10
		s := memstore.New(nil)
		var seen keyrack.ServedRequest
		r, err := keyrack.Open(t.Context(), s, &keyrack.Options{
			Poll:      time.Hour,
			Telemetry: &keyrack.Telemetry{Answered: func(_ context.Context, o keyrack.ServedRequest) { seen = o }},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		h, err := r.Handler(nil, &keyrack.HandlerOptions{
			WithoutSecret: true,
			BodyLimit:     limit,
			General:       http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }),
		})
		if err != nil {
			t.Fatal(err)
		}
		var states [2]keyrack.Record
		var answers [2]int
		for i := range answers {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, keyrack.DefaultPath, bytes.NewReader(body)))
			answers[i] = w.Code
			if w.Code != seen.Status {
				t.Errorf("answered %d, observed %d", w.Code, seen.Status)
			}
			want := ""
			switch w.Code {
			case http.StatusNoContent:
				if e, err := journaled(t.Context(), s, seen.Receipt.Integration, seen.Receipt.ID); err != nil {
					t.Errorf("204, and not in the journal: %v", err)
				} else if _, err := keyrack.ParseEntry(e); err != nil {
					t.Errorf("in the journal, and cannot be read: %v", err)
				}
			case http.StatusAccepted:
				if seen.Receipt.General == nil {
					t.Error("no General Webhook, and handed to the application")
				}
			case http.StatusBadRequest:
				want = "the body is not strict JSON\n"
			case http.StatusRequestEntityTooLarge:
				want = "the body is too large\n"
			default:
				t.Fatalf("answered %d", w.Code)
			}
			if w.Body.String() != want {
				t.Errorf("%d says %q, want %q", w.Code, w.Body, want)
			}
			if large := len(body) > limit; large != (w.Code == http.StatusRequestEntityTooLarge) {
				t.Errorf("%d bytes, and %d", len(body), w.Code)
			}
			states[i], _ = r.Record(seen.Receipt.Integration)
		}
		if answers[0] != answers[1] || states[0].State != states[1].State || len(states[0].Keys) != len(states[1].Keys) {
			t.Errorf("a copy made a difference: %d and %d, %v and %v", answers[0], answers[1], states[0].State, states[1].State)
		}
		audit(t, s, r)
	})
}
