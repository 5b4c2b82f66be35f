package annotation_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/annotation"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/store"
)

// noted keeps what it is told, and how often it was told.
type noted struct {
	store.Store
	mu    sync.Mutex
	calls int
	all   []store.Annotation
}

func (n *noted) Annotate(_ context.Context, annotations ...store.Annotation) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls++
	n.all = append(n.all, annotations...)
	return nil
}

// so returns how many it was told, and by how many calls.
func (n *noted) so() (all, calls int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.all), n.calls
}

// TestGathers: answers within a second share one write, the end writes what is left, and
// beyond a bound answers are lost and counted.
func TestGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log testkit.Buffer
		s := &noted{}
		notes := annotation.New(s, slog.New(slog.NewTextHandler(&log, nil)), time.Minute)
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); notes.Run(ctx) }()
		add := func(n int) {
			for range n {
				notes.Add(store.NewEntryID(time.Now()), store.Response{Status: 204})
			}
		}
		add(10)
		time.Sleep(500 * time.Millisecond)
		if all, _ := s.so(); all != 0 {
			t.Errorf("%d are written at once", all)
		}
		time.Sleep(time.Second)
		if all, calls := s.so(); all != 10 || calls != 1 {
			t.Errorf("%d are written in %d calls, want 10 in 1", all, calls)
		}
		add(5000)
		stop()
		<-ended
		if all, _ := s.so(); all != 10+4096 {
			t.Errorf("%d are written in the end", all)
		}
		if !strings.Contains(log.String(), "answers=904") {
			t.Errorf("the log does not say how many are lost: %s", log.String())
		}
	})
}
