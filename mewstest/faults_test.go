package mewstest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// storm lets 200 hotels connect, a minute apart, each enabled again and disabled
// soon after, and returns what the receiver got.
func storm(t *testing.T, options mewstest.Options, check func(mews *mewstest.World, keys *naive)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		keys := newNaive()
		options.Seed, options.Receiver = 5, keys
		mews := mewstest.New(&options)
		for n := range 200 {
			hotel := mews.ConnectAs(mewstest.Connection{
				Hotel: fmt.Sprint("Hotel ", n), Service: "Spa", Disabled: true, Requestor: events.NewRequestor("R", "r@hotel.example"),
			})
			time.Sleep(20 * time.Second)
			hotel.Enable()
			time.Sleep(20 * time.Second)
			hotel.Disable()
			time.Sleep(20 * time.Second)
		}
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(mews, keys)
	})
}

// about reports whether n is roughly a share of all.
func about(n, all int, share float64) bool {
	return float64(n) > share*float64(all)*0.8 && float64(n) < share*float64(all)*1.2
}

// inOrder counts the integrations whose events came in order.
func inOrder(keys *naive) (n int) {
	came := map[string][]lifecycle.Action{}
	for _, r := range keys.requests {
		came[r.event.Integration.ID] = append(came[r.event.Integration.ID], r.event.Action)
	}
	want := []lifecycle.Action{lifecycle.IntegrationCreated, lifecycle.IntegrationEnabled, lifecycle.IntegrationDisabled}
	for _, actions := range came {
		if slices.Equal(actions, want) {
			n++
		}
	}
	return n
}

func TestClean(t *testing.T) {
	storm(t, mewstest.Options{}, func(mews *mewstest.World, keys *naive) {
		if s := mews.Stats(); s.Messages != 600 || s.Accepted != 600 || s.Attempts != 600 || inOrder(keys) != 200 {
			t.Errorf("not everything came once and in order: %+v, %d in order", s, inOrder(keys))
		}
		var low, high int
		for _, e := range mews.Log() {
			// The lag can be read off the first message alone: others wait for it.
			if e.Kind != mewstest.Sent || e.Message != 1 {
				continue
			}
			switch lag := e.At - time.Duration(e.Integration-1)*time.Minute; {
			case lag < 0 || lag > 5*time.Minute:
				t.Errorf("a lag of %s", lag)
			case lag < 2*time.Minute:
				low++
			case lag > 3*time.Minute:
				high++
			}
		}
		if !about(low, 200, 0.4) || !about(high, 200, 0.4) {
			t.Errorf("not even: %d below two minutes, %d above three", low, high)
		}
	})
}

func TestReorder(t *testing.T) {
	storm(t, mewstest.Options{Faults: mewstest.Faults{Reorder: 1}}, func(mews *mewstest.World, keys *naive) {
		if n := inOrder(keys); n > 100 || len(keys.requests) != 600 {
			t.Errorf("%d of 200 in order, %d requests", n, len(keys.requests))
		}
	})
}

func TestDelay(t *testing.T) {
	storm(t, mewstest.Options{Lag: mewstest.AtOnce, Faults: mewstest.Faults{Delay: 0.3}}, func(mews *mewstest.World, keys *naive) {
		if n := inOrder(keys); n > 150 || n < 50 || len(keys.requests) != 600 {
			t.Errorf("%d of 200 in order, %d requests", n, len(keys.requests))
		}
	})
}

func TestLose(t *testing.T) {
	storm(t, mewstest.Options{Faults: mewstest.Faults{Lose: 0.3}}, func(mews *mewstest.World, keys *naive) {
		if s := mews.Stats(); !about(s.Lost, 600, 0.3) || s.Lost+len(keys.requests) != 600 {
			t.Errorf("%+v, %d requests", s, len(keys.requests))
		}
	})
}

func TestDuplicate(t *testing.T) {
	storm(t, mewstest.Options{Faults: mewstest.Faults{Duplicate: 0.3}}, func(mews *mewstest.World, keys *naive) {
		bodies := map[string]int{}
		for _, r := range keys.requests {
			bodies[r.body]++
		}
		twice := 0
		for _, n := range bodies {
			if n == 2 {
				twice++
			}
		}
		if s := mews.Stats(); len(bodies) != 600 || twice != s.Duplicates || !about(twice, 600, 0.3) {
			t.Errorf("%d bodies, %d twice: %+v", len(bodies), twice, s)
		}
	})
}

func TestFail(t *testing.T) {
	storm(t, mewstest.Options{Faults: mewstest.Faults{Fail: 0.5}}, func(mews *mewstest.World, keys *naive) {
		s := mews.Stats()
		if !about(s.Discarded, 600, 0.125) || s.Discarded+s.Accepted != 600 || s.Accepted != len(keys.requests) {
			t.Errorf("%+v, %d requests", s, len(keys.requests))
		}
		var before time.Duration
		for _, e := range mews.Log() {
			switch {
			case e.Integration != 1 || e.Message != 1 || e.Kind != mewstest.Sent:
			case e.Attempt > 1 && (e.At-before < 2*time.Minute || e.At-before > 5*time.Minute):
				t.Errorf("attempt %d came %s after the one before", e.Attempt, e.At-before)
			default:
				before = e.At
			}
		}
	})
}

// TestLoseAnswer: the receiver took it in, Mews did not learn so, and sent it again.
func TestLoseAnswer(t *testing.T) {
	storm(t, mewstest.Options{Faults: mewstest.Faults{LoseAnswer: 1}}, func(mews *mewstest.World, keys *naive) {
		if s := mews.Stats(); s.Discarded != 600 || s.Accepted != 1800 || len(keys.requests) != 1800 {
			t.Errorf("%+v, %d requests", s, len(keys.requests))
		}
	})
}

func TestShapes(t *testing.T) {
	storm(t, mewstest.Options{Faults: mewstest.Faults{Null: 1, Extra: 1, Unknown: 0.5, General: 0.5, Untyped: 0.5}},
		func(mews *mewstest.World, keys *naive) {
			var audits, generals, untyped, nameless, dateless, flagless, extra int
			for _, r := range keys.requests {
				e := r.event
				switch {
				case e.General != nil:
					generals++
					if e.General.IntegrationID == "" || e.General.EnterpriseID == "" || len(e.General.Events) != 1 {
						t.Errorf("a General Webhook that says nothing: %s", r.body)
					}
					continue
				case e.Action == lifecycle.ActionUnknown:
					audits++
					if mews.Integration(e.Integration.ID) == nil {
						t.Errorf("an unknown action about nobody: %s", r.body)
					}
					continue
				}
				if r.contentType == "" {
					untyped++
				}
				if e.Integration.Name == "" {
					nameless++
				}
				if e.Action == lifecycle.IntegrationCreated && e.CreatedUtc.IsZero() {
					dateless++
				}
				if e.Action == lifecycle.IntegrationCreated && e.IsEnabled == lifecycle.Unset {
					flagless++
				}
				if strings.Contains(r.body, `"Region"`) && strings.Contains(r.body, `"Revision"`) {
					extra++
				}
			}
			if !about(audits, 600, 0.5) || !about(generals, 600, 0.5) || !about(untyped, 600, 0.5) || extra != 600 ||
				!about(nameless, 600, 0.5) || !about(dateless, 200, 0.5) || !about(flagless, 200, 0.5) {
				t.Error(audits, generals, untyped, nameless, dateless, flagless, extra)
			}
		})
}

// TestWindows: in an outage everything fails, and what gets all of its attempts
// there is lost; in a jam nothing is sent, and then all at once.
func TestWindows(t *testing.T) {
	hour := mewstest.Window{Start: time.Hour, For: time.Hour, Every: 10 * time.Hour}
	in := func(at time.Duration) bool { return at >= time.Hour && at < 2*time.Hour }
	storm(t, mewstest.Options{Faults: mewstest.Faults{Outages: []mewstest.Window{hour}}}, func(mews *mewstest.World, keys *naive) {
		for _, e := range mews.Log() {
			if e.Kind == mewstest.Answered && (e.Status == 204) == in(e.At) {
				t.Errorf("at %s: %s", e.At, e)
			}
		}
		if s := mews.Stats(); s.Discarded < 100 || s.Discarded > 180 {
			t.Errorf("%+v", s)
		}
	})
	storm(t, mewstest.Options{Faults: mewstest.Faults{Jams: []mewstest.Window{hour}}}, func(mews *mewstest.World, keys *naive) {
		burst := 0
		for _, e := range mews.Log() {
			if e.Kind == mewstest.Sent && in(e.At) {
				t.Errorf("sent in a jam: %s", e)
			}
			if e.Kind == mewstest.Sent && e.At >= 2*time.Hour && e.At < 2*time.Hour+time.Second {
				burst++
			}
		}
		if burst < 150 || inOrder(keys) != 200 {
			t.Errorf("%d at once after the jam, %d in order", burst, inOrder(keys))
		}
	})
}

// TestSlow: an answer counts for 5 seconds; the receiver is called again then.
func TestSlow(t *testing.T) {
	for _, tt := range []struct {
		takes time.Duration
		calls int
	}{{5 * time.Second, 1}, {5*time.Second + time.Millisecond, 3}} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			mews := mewstest.New(&mewstest.Options{Receiver: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
				calls.Add(1)
				time.Sleep(tt.takes)
				rw.WriteHeader(http.StatusAccepted)
			})})
			mews.Connect("A")
			if err := mews.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := int(calls.Load()); n != tt.calls {
				t.Errorf("%s: called %d times", tt.takes, n)
			}
			if s := mews.Stats(); s.Answers[0]+s.Answers[202] != tt.calls {
				t.Errorf("%+v", s)
			}
			time.Sleep(time.Minute) // for the last call to end
		})
	}
}

// TestSlowDoesNotHoldUp: while one receiver's answer is awaited, others get theirs.
func TestSlowDoesNotHoldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{Lag: mewstest.AtOnce, Receiver: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			time.Sleep(4 * time.Second)
		})})
		for n := range 100 {
			mews.Connect(fmt.Sprint(n))
		}
		began := time.Now()
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("100 deliveries of 4 s took %s", took)
		}
	})
}

// TestReplay: what a receiver got in one run it gets again.
func TestReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, again := newNaive(), newNaive()
		mews := mewstest.New(&mewstest.Options{Receiver: keys, Faults: mewstest.Flaky(), KeepBodies: true})
		for n := range 10 {
			mews.Connect(fmt.Sprint(n)).Cancel()
		}
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		answers, err := mewstest.Replay(t.Context(), mews.Log(), &mewstest.Sender{Receiver: again})
		if err != nil || len(answers) != len(keys.requests) {
			t.Fatalf("%d of %d sent again: %v", len(answers), len(keys.requests), err)
		}
		for n, r := range again.requests {
			if r.body != keys.requests[n].body {
				t.Fatalf("request %d differs", n)
			}
		}
		var text bytes.Buffer
		if err := mews.WriteLog(&text); err != nil {
			t.Fatal(err)
		}
		for i := range mews.Integrations() {
			if strings.Contains(text.String(), i.Token()) {
				t.Error("a token in the log")
			}
		}
	})
}
