package keyrack_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// annotated counts the calls that note answers.
type annotated struct {
	store.Store
	mu    sync.Mutex
	calls int
}

func (s *annotated) Volatile() bool { return true }

func (s *annotated) Annotate(ctx context.Context, annotations ...store.Annotation) error {
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
	return s.Store.Annotate(ctx, annotations...)
}

// answering runs a test with a handler on a store that counts, and returns the log.
func answering(t *testing.T, test func(b bench, s *annotated, h http.Handler)) string {
	var log testkit.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := &annotated{Store: memstore.New(nil)}
		rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		h, err := rack.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
		if err != nil {
			t.Fatal(err)
		}
		test(bench{T: t, Rack: rack}, s, h)
		rack.Close()
	})
	return log.String()
}

// noted counts the deliveries whose answer is in the journal.
func (b bench) noted(status int) (n int) {
	b.Helper()
	for c, err := range b.History(b.Context(), integrationID("a")) {
		if err != nil {
			b.Fatal(err)
		}
		if c.Response.Status == status {
			n++
		}
	}
	return n
}

// Answers within a second are noted by one call, and Close notes the latest.
func TestAnswersAreNotedTogether(t *testing.T) {
	log := answering(t, func(b bench, s *annotated, h http.Handler) {
		for range 10 {
			post(h, webhook(lifecycle.IntegrationEnabled, "a", nil))
		}
		if n := b.noted(http.StatusNoContent); n != 0 {
			t.Errorf("%d answers are noted before anybody had the time", n)
		}
		settle(1100 * time.Millisecond)
		if n := b.noted(http.StatusNoContent); n != 10 || s.calls != 1 {
			t.Errorf("%d answers are noted by %d calls, want 10 by 1", n, s.calls)
		}
		post(h, webhook(lifecycle.IntegrationEnabled, "a", nil))
		b.Close()
		if n := b.noted(http.StatusNoContent); n != 11 {
			t.Errorf("%d answers are noted after Close, want 11", n)
		}
	})
	if log != "" {
		t.Errorf("logged:\n%s", log)
	}
}

// More answers than are kept are lost, and the log says how many.
func TestAnswersAreLostRatherThanMemory(t *testing.T) {
	const deliveries, kept = 4200, 4096
	log := answering(t, func(b bench, _ *annotated, h http.Handler) {
		for range deliveries { // virtual time stands still meanwhile
			post(h, webhook(lifecycle.IntegrationEnabled, "a", nil))
		}
		settle(2 * time.Second)
		if n := b.noted(http.StatusNoContent); n != kept {
			t.Errorf("%d answers are noted, want %d", n, kept)
		}
	})
	if want := "too many at once\" answers=104"; !strings.Contains(log, want) {
		t.Errorf("the log does not say %s:\n%s", want, log)
	}
}
