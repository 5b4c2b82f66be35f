package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// ExampleTelemetry counts deliveries by what they say and what became of them,
// and how often the store failed.
func ExampleTelemetry() {
	deliveries, failures := map[string]int{}, 0 // a real one is safe for concurrent use
	rack, err := keyrack.Open(context.Background(), memstore.New(nil), &keyrack.Options{Telemetry: &keyrack.Telemetry{
		Taken: func(_ context.Context, t keyrack.Taken) {
			d := t.Receipt.Decision
			deliveries[d.Action.String()+" "+d.Outcome.String()]++
		},
	}})
	if err != nil {
		panic(err)
	}
	defer rack.Close()
	for range 2 {
		if _, err := rack.Deliver(context.Background(), specBody()); err != nil {
			failures++
		}
	}
	fmt.Println(deliveries, failures)
	// Output: map[IntegrationCreated applied:1 IntegrationCreated duplicate:1] 0
}

// tale is what a Telemetry was told, a line for the end of each piece of work,
// which names the work that it was done within. What the Rack does of its own
// accord with the store is left out.
type tale struct {
	mu    sync.Mutex
	lines []string
	took  []time.Duration
}

type withinKey struct{}

func within(ctx context.Context) string {
	text, _ := ctx.Value(withinKey{}).(string)
	return text
}

func (l *tale) tell(ctx context.Context, took time.Duration, format string, args ...any) {
	if where := within(ctx); !strings.HasPrefix(where, "store ") {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, where+": "+fmt.Sprintf(format, args...))
		l.took = append(l.took, took)
	}
}

// take returns what was told since it was asked last.
func (l *tale) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func (l *tale) telemetry() *keyrack.Telemetry {
	return &keyrack.Telemetry{
		Begin: func(ctx context.Context, work keyrack.Work, name string) context.Context {
			where := strings.TrimSpace(string(work) + " " + name)
			if outer := within(ctx); outer != "" {
				where = outer + " > " + where
			}
			return context.WithValue(ctx, withinKey{}, where)
		},
		Answered: func(ctx context.Context, o keyrack.ServedRequest) {
			l.tell(ctx, o.Took, "%d %v", o.Status, o.Refusal)
		},
		Taken: func(ctx context.Context, t keyrack.Taken) {
			if t.Err != nil {
				l.tell(ctx, t.Took, "%v, %d conflicts, not stored", t.Kind, t.Conflicts)
				return
			}
			l.tell(ctx, t.Took, "%v %v, %d conflicts", t.Receipt.Decision.Action, t.Receipt.Decision.Outcome, t.Conflicts)
		},
		Stored: func(ctx context.Context, s keyrack.StoreCall) {
			l.tell(ctx, s.Took, "%s, failed %v", s.Result(), s.Failed())
		},
		Probed: func(ctx context.Context, p keyrack.Probed) {
			l.tell(ctx, p.Took, "%s, status %d, known %v", p.Result(), p.Status, p.Integration == integrationID("a"))
		},
		Handled: func(ctx context.Context, h keyrack.Handled) {
			l.tell(ctx, h.Took, "attempt %d, failure %q, dead %v, after %v", h.Attempt, h.Failure, h.Dead, h.Age)
		},
		Alarmed: func(ctx context.Context, a keyrack.Alarm) { l.tell(ctx, 0, "alarm %s", a.Kind) },
	}
}

// seeing is a store that notes within what it is called.
type seeing struct {
	*faulty
	commits []string
}

func (s *seeing) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	s.commits = append(s.commits, within(ctx))
	return s.faulty.Commit(ctx, c)
}

// TestTelemetry: what is told, in which order and within what, of deliveries that
// meet everything that a store can do to them.
func TestTelemetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l tale
		s := &seeing{faulty: &faulty{Store: memstore.New(nil)}}
		rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Telemetry: l.telemetry()})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		handler, err := rack.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
		if err != nil {
			t.Fatal(err)
		}
		const (
			evidence = "delivery > evidence delivery"
			commit   = evidence + " > store Commit"
		)
		first := creation("a", "k", lifecycle.Yes)
		for _, test := range []struct {
			name   string
			body   []byte
			faults []fault
			want   []string
		}{
			{"applied", first, nil, []string{
				commit + ": ok, failed false", evidence + ": IntegrationCreated applied, 0 conflicts", "delivery: 204 "}},
			{"a duplicate", first, nil, []string{
				commit + ": ok, failed false", evidence + ": IntegrationCreated duplicate, 0 conflicts", "delivery: 204 "}},
			{"another enterprise", creation("a", "k", lifecycle.Yes, atHotel("other")), nil, []string{
				commit + ": ok, failed false", evidence + ": alarm evidence",
				evidence + ": IntegrationCreated conflict, 0 conflicts", "delivery: 204 "}},
			{"a token that has an owner", creation("b", "k", lifecycle.Yes), nil, []string{
				commit + ": owned, failed false", commit + ": ok, failed false", evidence + ": alarm evidence",
				evidence + ": IntegrationCreated conflict, 0 conflicts", "delivery: 204 "}},
			{"no integration", []byte("{}"), nil, []string{
				commit + ": ok, failed false", evidence + ": unknown unrecognized, 0 conflicts", "delivery: alarm not_understood", "delivery: 204 "}},
			{"a General Webhook", []byte(generalBody), nil, []string{"delivery: 204 "}},
			{"no JSON", []byte("{"), nil, []string{"delivery: 400 syntax"}},
			{"another instance was faster", first, []fault{conflicts}, []string{
				commit + ": conflict, failed false", evidence + " > store Load: ok, failed false", evidence + " > store Incarnation: ok, failed false",
				commit + ": ok, failed false",
				evidence + ": IntegrationCreated duplicate, 1 conflicts", "delivery: 204 "}},
			{"the store fails once", first, []fault{failsBefore}, []string{
				commit + ": error, failed true", commit + ": ok, failed false",
				evidence + ": IntegrationCreated duplicate, 0 conflicts", "delivery: 204 "}},
			{"the store panics and fails", first, []fault{panics, failsAfter}, []string{
				commit + ": error, failed true", commit + ": error, failed true",
				evidence + ": delivery, 0 conflicts, not stored", "delivery: 503 store"}},
			{"the store hangs", first, []fault{hangs}, []string{
				commit + ": timeout, failed true", evidence + ": delivery, 0 conflicts, not stored", "delivery: 503 store"}},
		} {
			s.fail(test.faults...)
			post(handler, test.body)
			synctest.Wait()
			// Whether anything had been read by then depends on when the journal was followed.
			told := slices.DeleteFunc(l.take(), func(line string) bool { return strings.Contains(line, "store Journal") })
			if diff := cmp.Diff(test.want, told); diff != "" {
				t.Errorf("%s (-want +told):\n%s", test.name, diff)
			}
		}
		// The hanging store had its time, and nothing else took any.
		if longest := slices.Max(l.took); longest != storeTimeout || l.took[len(l.took)-1] != longest {
			t.Errorf("the longest took %v, the last %v", longest, l.took[len(l.took)-1])
		}
		if strange := slices.IndexFunc(s.commits, func(where string) bool { return where != commit }); strange >= 0 {
			t.Errorf("the store was called within %q", s.commits[strange])
		}
	})
}

// TestTelemetryOfProbes: each question is told, with what came of it.
func TestTelemetryOfProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l tale
		o := newOracle("k")
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), &keyrack.Options{Prober: o, Telemetry: l.telemetry()})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		b := bench{T: t, Rack: rack}
		for _, test := range []struct {
			name   string
			change func(*oracle)
			want   string
		}{
			{"it works", func(*oracle) {}, "probe: accepted, status 200, known true"},
			{"it does not", func(o *oracle) { o.deny = true }, "probe: unauthorized, status 401, known true"},
			{"no answer", func(o *oracle) { o.silent = true }, "probe: unexplained, status 0, known true"},
		} {
			o.set(test.change)
			b.deliver(creation("a", "k", lifecycle.Yes))
			settle(10 * time.Second)
			told := l.take()
			if !slices.Contains(told, test.want) {
				t.Errorf("%s: told %q", test.name, told)
			}
		}
		if took := slices.Max(l.took); took != o.delay {
			t.Errorf("a question took %v", took)
		}
	})
}

// TestTelemetryOfSubscriptions: each call of a handler is told, and the last one
// that failed as such; how far behind it is can be asked.
func TestTelemetryOfSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l tale
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), &keyrack.Options{Telemetry: l.telemetry()})
		if err != nil {
			t.Fatal(err)
		}
		if lags, err := rack.SubscriptionLags(context.Background()); len(lags) != 0 || err != nil {
			t.Errorf("without a subscription: %v, %v", lags, err)
		}
		b := bench{T: t, Rack: rack}
		h := heard{fail: func(keyrack.Change) error { return errors.New("made-up") }}
		b.subscribe(&h, &keyrack.SubscribeOptions{FromStart: true, Attempts: 2, Timeout: time.Hour})
		lag := func() uint64 {
			lags, err := rack.SubscriptionLags(context.Background())
			if err != nil || len(lags) != 1 {
				t.Errorf("%v, %v", lags, err)
			}
			return lags["test"]
		}
		b.deliver(creation("a", "k", lifecycle.Yes))
		synctest.Wait()
		if n := lag(); n != 1 {
			t.Errorf("%d behind while the handler fails", n)
		}
		settle(time.Minute)
		const subscription = "subscription test: "
		// The delivery may be told after the handler that heard of it.
		told := slices.DeleteFunc(l.take(), func(line string) bool { return !strings.HasPrefix(line, subscription) })
		want := []string{subscription + `attempt 1, failure "*errors.errorString", dead false, after 0s`, subscription + `attempt 2, failure "*errors.errorString", dead true, after `}
		if len(told) != 2 || told[0] != want[0] || !strings.HasPrefix(told[1], want[1]) {
			t.Errorf("told %q", told)
		}
		h.failing(nil)
		b.toggle("a", false)
		settle(time.Second)
		if n := lag(); n != 0 {
			t.Errorf("%d behind in the end", n)
		}
		if told := l.take(); !slices.Contains(told, subscription+`attempt 1, failure "", dead false, after 0s`) {
			t.Errorf("told %q", told)
		}
		h.failing(func(keyrack.Change) error { panic("made-up") })
		b.toggle("a", true)
		settle(time.Millisecond)
		if told := l.take(); !slices.ContainsFunc(told, func(line string) bool { return strings.Contains(line, `attempt 1, failure "*`) }) {
			t.Errorf("told of a panic %q", told)
		}
		rack.Close()
	})
}

// TestTelemetryCannotHurt: whatever a Telemetry does with its contexts, and if it
// panics, deliveries, probes and subscriptions are as without it.
func TestTelemetryCannotHurt(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, begin := range map[string]func(context.Context) context.Context{
		"returns no context":               func(context.Context) context.Context { return nil },
		"returns a context that has ended": func(context.Context) context.Context { return canceled },
		"returns the background":           func(context.Context) context.Context { return context.Background() },
		"asks the Rack":                    func(ctx context.Context) context.Context { return ctx },
		"panics":                           func(context.Context) context.Context { panic("made-up token 0123456789") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log testkit.Buffer
				s := &faulty{Store: memstore.New(nil)}
				var asked atomic.Pointer[keyrack.Rack]
				hurt := func() {
					if name == "panics" {
						panic("made-up token 0123456789")
					}
					if rack := asked.Load(); rack != nil {
						rack.Check(tokenText("k"))
						rack.Stats()
						rack.SyncStatus()
					}
				}
				rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{
					Prober: newOracle("k"), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError})),
					Telemetry: &keyrack.Telemetry{
						Begin:    func(ctx context.Context, _ keyrack.Work, _ string) context.Context { return begin(ctx) },
						Answered: func(context.Context, keyrack.ServedRequest) { hurt() },
						Taken:    func(context.Context, keyrack.Taken) { hurt() },
						Stored:   func(context.Context, keyrack.StoreCall) { hurt() },
						Probed:   func(context.Context, keyrack.Probed) { hurt() },
						Handled:  func(context.Context, keyrack.Handled) { hurt() },
						Alarmed:  func(context.Context, keyrack.Alarm) { hurt() },
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer rack.Close()
				if name == "asks the Rack" {
					asked.Store(rack)
				}
				handler, err := rack.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
				if err != nil {
					t.Fatal(err)
				}
				b := bench{T: t, Rack: rack}
				var h heard
				b.subscribe(&h, nil)
				for _, body := range [][]byte{creation("a", "k", lifecycle.No), creation("a", "k", lifecycle.Yes, atHotel("other"))} {
					if status := post(handler, body); status != http.StatusNoContent {
						t.Errorf("answered %d", status)
					}
				}
				settle(time.Minute)
				b.is("k", lifecycle.Valid, lifecycle.ReasonLive) // as the probe found
				if got := h.of("a"); got != "[invalid valid]" {
					t.Errorf("the subscription heard %s", got)
				}
				s.fail(hangs) // and the time that it may take is still the Rack's to say
				began := time.Now()
				if status := post(handler, creation("a", "k", lifecycle.Yes)); status != http.StatusServiceUnavailable || time.Since(began) != storeTimeout {
					t.Errorf("answered %d after %v", status, time.Since(began))
				}
				want := 0
				if name == "panics" {
					want = 1
				}
				if n := strings.Count(log.String(), "panic in Telemetry"); n != want || strings.Contains(log.String(), "0123456789") {
					t.Errorf("%d lines about it:\n%s", n, &log)
				}
			})
		})
	}
}

// Every result is a word that is fit for a label.
func TestResults(t *testing.T) {
	for _, test := range []struct {
		err    error
		want   string
		failed bool
	}{
		{nil, "ok", false},
		{store.ErrConflict, "conflict", false},
		{&store.OwnedError{}, "owned", false},
		{fmt.Errorf("wrapped: %w", store.ErrNotFound), "not_found", false},
		{store.ErrFenced, "fenced", false},
		{store.ErrTrimmed, "trimmed", false},
		{store.ErrInvalid, "invalid", true},
		{context.DeadlineExceeded, "timeout", true},
		{context.Canceled, "canceled", false},
		{errors.New("made-up"), "error", true},
	} {
		s := keyrack.StoreCall{Err: test.err}
		if s.Result() != test.want || s.Failed() != test.failed {
			t.Errorf("%v: %s, failed %v", test.err, s.Result(), s.Failed())
		}
	}
	for want, p := range map[string]keyrack.Probed{
		"accepted":    {Kind: connector.Accepted},
		"limited":     {Class: connector.Limited, Status: 429},
		"unexplained": {},
	} {
		if p.Result() != want {
			t.Errorf("%+v: %s", p, p.Result())
		}
	}
}
