package deadline_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/deadline"
)

type key struct{}

// TestEnds: a context ends like one of context.WithTimeout, whether somebody waits or not.
func TestEnds(t *testing.T) {
	reason := errors.New("the parent's reason")
	for name, c := range map[string]struct {
		parent time.Duration // the parent's own deadline
		after  time.Duration
		end    func(c *deadline.Context, parent context.CancelCauseFunc)
		want   error
		cause  error
	}{
		"still going":         {time.Hour, time.Minute, nil, nil, nil},
		"its time":            {time.Hour, 2 * time.Minute, nil, context.DeadlineExceeded, context.DeadlineExceeded},
		"its parent's time":   {time.Second, time.Minute, nil, context.DeadlineExceeded, context.DeadlineExceeded},
		"stopped":             {time.Hour, 0, func(c *deadline.Context, _ context.CancelCauseFunc) { c.Stop(); c.Stop() }, context.Canceled, context.Canceled},
		"stopped, then late":  {time.Hour, time.Hour, func(c *deadline.Context, _ context.CancelCauseFunc) { c.Stop() }, context.Canceled, context.Canceled},
		"its parent canceled": {time.Hour, 0, func(_ *deadline.Context, p context.CancelCauseFunc) { p(reason) }, context.Canceled, reason},
	} {
		for _, waits := range []string{"nobody", "before", "a child"} {
			t.Run(name+", "+waits+" waits", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					timed, stop := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), c.parent)
					defer stop()
					parent, cancel := context.WithCancelCause(timed)
					defer cancel(nil)
					ctx := deadline.After(parent, 90*time.Second)
					defer ctx.Stop()
					seen := context.Context(ctx)
					switch waits {
					case "before":
						ctx.Done()
					case "a child":
						child, end := context.WithCancel(ctx)
						defer end()
						seen = child
					}
					if at, ok := ctx.Deadline(); !ok || at != time.Now().Add(min(c.parent, 90*time.Second)) {
						t.Errorf("the deadline is %v", at)
					}
					if c.end != nil {
						c.end(ctx, cancel)
					}
					time.Sleep(c.after)
					synctest.Wait()
					if err := seen.Err(); !errors.Is(err, c.want) {
						t.Errorf("Err: %v, want %v", err, c.want)
					}
					if err := context.Cause(seen); !errors.Is(err, c.cause) {
						t.Errorf("Cause: %v, want %v", err, c.cause)
					}
					select {
					case <-seen.Done():
						if c.want == nil {
							t.Error("it is done")
						}
					default:
						if c.want != nil {
							t.Error("it is not done")
						}
					}
					if seen.Value(key{}) != "value" {
						t.Error("the parent's value is lost")
					}
				})
			})
		}
	}
}

// TestCostsNothing: where nobody waits there is one allocation, and no timer.
func TestCostsNothing(t *testing.T) {
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		c := deadline.After(ctx, time.Hour)
		if c.Err() != nil {
			t.Error(c.Err())
		}
		c.Stop()
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// TestConcurrently: those who wait, who ask and who stop do not meet.
func TestConcurrently(t *testing.T) {
	for range 100 {
		c := deadline.After(t.Context(), time.Hour)
		var all sync.WaitGroup
		all.Go(func() { <-c.Done() })
		all.Go(func() {
			if err := c.Err(); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		all.Go(func() { c.Value(key{}) })
		all.Go(c.Stop)
		all.Wait()
		if !errors.Is(c.Err(), context.Canceled) {
			t.Fatal(c.Err())
		}
	}
}
