package subscription_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/store"
)

// TestFailureHoldsUpNobodyElse: an entry that fails holds up its own integration, in
// order, and no other. The cursor does not pass it.
func TestFailureHoldsUpNobodyElse(t *testing.T) {
	sitting(t, func(d desk) {
		e := &ear{fails: func(what string) bool { return strings.HasPrefix(what, "a") }}
		defer start(subscriber(d.store, e))()
		d.commit("b", "a", "b", "unwanted", "a")
		time.Sleep(2 * time.Second)
		e.wants(t, "while a fails", "b1", "b2")
		if state := d.state(); state.Position != 1 {
			t.Errorf("the cursor passed what is not done: %+v", state)
		}
		e.failing(nil)
		time.Sleep(10 * time.Minute)
		e.wants(t, "after a recovered", "b1", "b2", "a1", "a2")
		if state := d.state(); state.Position != 5 || state.Dead != 0 {
			t.Errorf("%+v after all was done", state)
		}
	})
}

// TestDeadLetters: after its attempts an entry becomes a dead letter, and what waited
// behind it goes on.
func TestDeadLetters(t *testing.T) {
	sitting(t, func(d desk) {
		for range 3 {
			d.commit("a", "b", "unwanted")
		}
		e := &ear{fails: func(what string) bool { return what == "a2" }}
		sub := subscriber(d.store, e)
		sub.Attempts = 5
		defer start(sub)()
		e.wants(t, "while a2 fails", "a1", "b1", "b2", "b3")
		time.Sleep(5 * time.Minute)
		e.wants(t, "after the last attempt", "a1", "b1", "b2", "b3", "a3")
		letters, err := subscription.DeadLetters(t.Context(), d.store, "mail")
		if err != nil || len(letters) != 1 || letters[0].Integration != "a" || letters[0].Attempts != 5 || letters[0].Position != 4 {
			t.Fatalf("dead letters: %+v, %v", letters, err)
		}
		if state := d.state(); state.Position != 9 || state.Dead != 1 {
			t.Errorf("%+v, and the journal ends at 9", state)
		}
		d.do(subscription.DiscardDeadLetters(t.Context(), d.store, "mail", letters...))
		if letters, err = subscription.DeadLetters(t.Context(), d.store, "mail"); err != nil || len(letters) != 0 {
			t.Errorf("after discarding: %+v, %v", letters, err)
		}
	})
}

// TestLongBacklog: a long backlog is worked off in strides, whether it was never read
// or waits behind an entry that failed. The operator is heard meanwhile, and what was
// done is not done again after a crash.
func TestLongBacklog(t *testing.T) {
	for name, failsAtFirst := range map[string]bool{"never read": false, "behind one that failed": true} {
		t.Run(name, func(t *testing.T) {
			sitting(t, func(d desk) {
				for i := range 200 {
					if failsAtFirst {
						d.commit("a")
					} else {
						d.commit(fmt.Sprint("hotel ", i, " "))
					}
				}
				e := new(ear)
				if failsAtFirst {
					e.failing(always)
					time.AfterFunc(10*time.Millisecond, func() { e.failing(nil) })
				}
				sub := subscriber(d.store, e)
				sub.Handle = func(ctx context.Context, entry store.Entry, attempt int) error {
					err := e.handle(ctx, entry, attempt)
					if err == nil {
						time.Sleep(100 * time.Millisecond)
					}
					return err
				}
				defer start(sub)()
				time.Sleep(5 * time.Second)
				d.do(subscription.Pause(t.Context(), d.store, "mail"))
				time.Sleep(3 * time.Second)
				done := len(e.all())
				if done < 30 || done > 70 {
					t.Errorf("%d calls in 5 s and a pause", done)
				}
				if state := d.state(); int(state.Position) != done {
					t.Errorf("%d calls, and the subscription is %+v", done, state)
				}
			})
		})
	}
}

// TestTrimmedJournal: a subscriber that finds its place trimmed goes on where the
// journal begins.
func TestTrimmedJournal(t *testing.T) {
	sitting(t, func(d desk) {
		e := new(ear)
		start(subscriber(d.store, e))()
		d.commit("a", "a", "a", "b")
		d.do(d.store.Trim(t.Context(), "a", 2, []byte("r")))
		defer start(subscriber(d.store, e))()
		time.Sleep(2 * time.Second)
		e.wants(t, "after trimming", "a3", "b1")
	})
}

// TestLongQueueHoldsUpNobodyElse: however many entries wait behind one that fails, those
// of others are handled, and those that wait come in their order, each once.
func TestLongQueueHoldsUpNobodyElse(t *testing.T) {
	sitting(t, func(d desk) {
		for range 5000 {
			d.commit("a")
		}
		d.commit("b")
		e := &ear{fails: func(what string) bool { return what == "a1" }}
		sub := subscriber(d.store, e)
		sub.Attempts = 3
		defer start(sub)()
		e.wants(t, "while a1 fails", "b1")
		d.commit("a", "b")
		time.Sleep(time.Minute)
		d.commit("a")
		time.Sleep(time.Minute)
		all := slices.DeleteFunc(e.all(), func(what string) bool { return what[0] == 'b' })
		if len(all) != 5001 {
			t.Fatalf("%d entries handled after a1 became a dead letter", len(all))
		}
		for i, what := range all {
			if want := fmt.Sprint("a", i+2); what != want {
				t.Fatalf("%s comes where %s should", what, want)
			}
		}
		if state := d.state(); state.Position != 5004 || state.Dead != 1 {
			t.Errorf("%+v after all was done", state)
		}
	})
}

// TestEveryQueueIsServed: nobody is held up where more integrations fail than entries are
// kept in memory.
func TestEveryQueueIsServed(t *testing.T) {
	sitting(t, func(d desk) {
		const failing = 4200
		for i := range failing {
			d.commit(fmt.Sprint("a", i, " "), fmt.Sprint("a", i, " "))
		}
		d.commit("b")
		e := &ear{fails: func(what string) bool { return what[0] == 'a' }}
		defer start(subscriber(d.store, e))()
		time.Sleep(time.Second)
		e.wants(t, "while the others fail", "b1")
		e.failing(nil)
		time.Sleep(time.Hour)
		if all := e.all(); len(all) != 2*failing+1 {
			t.Errorf("%d entries handled once nothing fails", len(all))
		}
	})
}

// TestUnreadableEntry: an entry that cannot be read holds up its own integration until it
// becomes a dead letter, and no other.
func TestUnreadableEntry(t *testing.T) {
	sitting(t, func(d desk) {
		d.commit("a", "b", "a")
		e := new(ear)
		sub := subscriber(d.store, e)
		sub.Attempts = 3
		var log bytes.Buffer
		sub.Log = slog.New(slog.NewTextHandler(&log, nil))
		sub.Parse = func(e store.Entry) (store.Entry, error) {
			if what(e) == "a1" {
				return store.Entry{}, errMadeUp
			}
			return e, nil
		}
		defer start(sub)()
		e.wants(t, "while a1 cannot be read", "b1")
		time.Sleep(time.Minute)
		e.wants(t, "after the last attempt", "b1", "a2")
		letters, err := subscription.DeadLetters(t.Context(), d.store, "mail")
		if err != nil || len(letters) != 1 || letters[0].Position != 1 {
			t.Errorf("dead letters: %+v, %v", letters, err)
		}
		if !strings.Contains(log.String(), "integration=a") {
			t.Errorf("the log does not name the integration: %s", &log)
		}
	})
}

// TestInterruptedCall: a call that ends with the subscriber is no failed attempt.
func TestInterruptedCall(t *testing.T) {
	sitting(t, func(d desk) {
		e := new(ear)
		sub := subscriber(d.store, e)
		var log bytes.Buffer
		sub.Attempts, sub.Log = 1, slog.New(slog.NewTextHandler(&log, nil))
		sub.Handle = func(ctx context.Context, _ store.Entry, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}
		stop := start(sub)
		d.commit("a")
		time.Sleep(2 * time.Second)
		stop()
		if state := d.state(); state.Dead != 0 || state.Position != 0 {
			t.Errorf("%+v after the end", state)
		}
		if log.Len() > 0 {
			t.Errorf("logged: %s", &log)
		}
		defer start(subscriber(d.store, e))()
		e.wants(t, "after a restart", "a1")
	})
}
