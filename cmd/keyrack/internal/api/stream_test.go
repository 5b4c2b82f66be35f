package api

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/store"
)

// TestStreamFails: an error has a status as long as none was sent, and is an event
// afterwards.
func TestStreamFails(t *testing.T) {
	entry := keyrack.Change{Position: 7}
	journal := func(entries int, err error) func(context.Context) iter.Seq2[keyrack.Change, error] {
		return func(context.Context) iter.Seq2[keyrack.Change, error] {
			return func(yield func(keyrack.Change, error) bool) {
				for range entries {
					if !yield(entry, nil) {
						return
					}
				}
				yield(keyrack.Change{}, err)
			}
		}
	}
	for _, test := range []struct {
		name    string
		entries int
		err     error
		status  int
		say     string
	}{
		{"trimmed", 0, store.ErrTrimmed, http.StatusGone, `"error":"trimmed"`},
		{"a store that fails", 0, errors.New("canary"), http.StatusServiceUnavailable, `"error":"unavailable"`},
		{"trimmed meanwhile", 1, store.ErrTrimmed, http.StatusOK, "event: problem\ndata: {\"title\":\"Gone\",\"status\":410,"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s := stream{w: w, control: http.NewResponseController(w), wants: func(keyrack.Change) bool { return true }, grace: testkit.Patience}
			s.run(t.Context(), journal(test.entries, test.err), nil)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.say) {
				t.Errorf("%d:\n%s", w.Code, w.Body)
			}
			sidecartest.Silent(t, "the answer", w.Body.String())
		})
	}
}

// TestStreamBeats: a stream with nothing to tell shows that it lives, and how far
// it has come.
func TestStreamBeats(t *testing.T) {
	w := &endAtWrite{ResponseRecorder: httptest.NewRecorder(), ending: make(chan struct{})}
	s := stream{w: w, control: http.NewResponseController(w), wants: func(keyrack.Change) bool { return false }, grace: 50 * time.Millisecond, passed: 3}
	s.run(t.Context(), func(ctx context.Context) iter.Seq2[keyrack.Change, error] {
		return func(yield func(keyrack.Change, error) bool) {
			yield(keyrack.Change{Position: 7}, nil)
			<-ctx.Done()
		}
	}, w.ending)
	switch body := w.Body.String(); body {
	case "id: 7\n\n: still here\n\n: going away\n\n":
	case "id: 3\n\n: still here\n\n: going away\n\n": // the beat came first
	default:
		t.Errorf("%q", body)
	}
}

// endAtWrite has the stream end after its first beat.
type endAtWrite struct {
	*httptest.ResponseRecorder
	ending chan struct{}
	once   sync.Once
}

func (w *endAtWrite) Write(b []byte) (int, error) {
	w.once.Do(func() { close(w.ending) })
	return w.ResponseRecorder.Write(b)
}
