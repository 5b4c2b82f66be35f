package watch_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/internal/watch"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const patience = 2 * time.Minute

var errClosed = errors.New("closed")

// verdict is the cause of an end.
type verdict struct{ lifecycle.Verdict }

func (v verdict) Error() string { return v.Status.String() }

// hotels holds what the verdicts are, and when they become Unknown by themselves.
type hotels struct {
	*watch.Watches
	mu      sync.Mutex
	status  map[string]lifecycle.Status
	expires map[string]lifecycle.Instant
	ahead   time.Duration
	names   map[string]string
}

func (h *hotels) name(id string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name, ok := h.names[id]; ok {
		return name
	}
	return id
}

func open(t *testing.T) (*hotels, func()) {
	h := &hotels{status: map[string]lifecycle.Status{}, expires: map[string]lifecycle.Instant{}}
	h.Watches = watch.New(watch.Options{
		Now: h.now, Look: h.look, Name: h.name, Patience: patience, Closed: errClosed,
		Cause: func(v lifecycle.Verdict) error { return verdict{v} },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Run(ctx)
	}()
	return h, func() { cancel(); <-ended }
}

func (h *hotels) now() lifecycle.Instant {
	h.mu.Lock()
	defer h.mu.Unlock()
	return lifecycle.At(time.Now().Add(h.ahead))
}

func (h *hotels) look(id string) (lifecycle.Verdict, lifecycle.Instant) {
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	v := lifecycle.Verdict{Integration: id, Status: h.status[id]}
	at := h.expires[id]
	if v.Status == lifecycle.Valid && at != 0 && at <= now {
		v.Status = lifecycle.Unknown
	}
	if at <= now {
		at = 0
	}
	return v, at
}

// say changes a verdict, as a delivery does.
func (h *hotels) say(id string, s lifecycle.Status, expires time.Duration) {
	h.mu.Lock()
	h.status[id] = s
	h.expires[id] = 0
	if expires != 0 {
		h.expires[id] = lifecycle.At(time.Now().Add(h.ahead + expires))
	}
	h.mu.Unlock()
	h.Touch(id)
}

func ended(ctx context.Context) string {
	if ctx.Err() == nil {
		return "no"
	}
	return fmt.Sprint(context.Cause(ctx))
}

// TestWatches: when a context ends, and why.
func TestWatches(t *testing.T) {
	const u, v, i = lifecycle.Unknown, lifecycle.Valid, lifecycle.Invalid
	type step struct {
		after  time.Duration
		status lifecycle.Status
		lasts  time.Duration
		touch  bool
		want   string // whether it has ended, afterwards
	}
	say := func(after time.Duration, s lifecycle.Status, want string) step { return step{after, s, 0, true, want} }
	wait := func(after time.Duration, want string) step { return step{after: after, want: want} }
	for name, steps := range map[string][]step{
		"invalid, at once":          {say(0, v, "no"), wait(24*time.Hour, "no"), say(0, i, "invalid")},
		"unknown, after a time":     {say(0, v, "no"), say(0, u, "no"), wait(patience-1e6, "no"), wait(1e6, "unknown")},
		"unknown and valid again":   {say(0, u, "no"), say(patience-1e6, v, "no"), wait(24*time.Hour, "no")},
		"unknown, valid, unknown":   {say(0, u, "no"), say(time.Minute, v, "no"), say(time.Minute, u, "no"), wait(patience-1e6, "no"), wait(1e6, "unknown")},
		"unknown, and touched":      {say(0, u, "no"), say(time.Minute, u, "no"), say(30*time.Second, u, "no"), wait(30*time.Second, "unknown")},
		"never known":               {wait(patience-1e6, "no"), wait(1e6, "unknown")},
		"too old, and patience":     {{0, v, time.Hour, true, "no"}, wait(time.Hour+patience-1e6, "no"), wait(1e6, "unknown")},
		"too old, and renewed":      {{0, v, time.Hour, true, "no"}, {time.Hour + patience - 1e6, v, time.Hour, true, "no"}, wait(time.Hour, "no"), wait(patience, "unknown")},
		"invalid while in patience": {say(0, u, "no"), say(time.Minute, i, "invalid"), say(0, v, "invalid")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, end := open(t)
				defer end()
				ctx, stop := h.Add(t.Context(), "alps")
				defer stop()
				other, stopOther := h.Add(t.Context(), "dolomites")
				defer stopOther()
				h.say("dolomites", v, 0)
				for n, s := range steps {
					time.Sleep(s.after)
					if s.touch {
						h.say("alps", s.status, s.lasts)
					} else {
						synctest.Wait()
					}
					if got := ended(ctx); got != s.want {
						t.Errorf("after step %d: %s, want %s", n, got, s.want)
					}
				}
				if other.Err() != nil {
					t.Errorf("another's ended: %s", ended(other))
				}
			})
		})
	}
}

// TestWatchesEnd: a context ends with its parent, with stop and with Run, and nothing is
// kept of it.
func TestWatchesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := open(t)
		h.say("alps", lifecycle.Valid, 0)
		parent, cancel := context.WithCancelCause(t.Context())
		byParent, stopParent := h.Add(parent, "alps")
		byStop, stop := h.Add(t.Context(), "alps")
		left, stopLeft := h.Add(t.Context(), "alps")
		cancel(errors.New("enough"))
		stop()
		stop()
		if a, b, c := ended(byParent), ended(byStop), ended(left); a != "enough" || b != "context canceled" || c != "no" {
			t.Errorf("%s, %s, %s", a, b, c)
		}
		stopParent()
		patient, stopPatient := h.Add(t.Context(), "nobody knows it")
		if n := h.Len(); n != 2 {
			t.Errorf("%d are kept, want two", n)
		}
		end()
		late, stopLate := h.Add(t.Context(), "alps")
		if a, b, c := ended(left), ended(late), ended(patient); a != "closed" || b != "closed" || c != "closed" || h.Len() != 0 {
			t.Errorf("after the end: %s, %s, %s, %d are kept", a, b, c, h.Len())
		}
		stopLate()
		stopPatient()
		stopLeft()
		h.Touch("alps")
	})
}

// TestWatchesForgottenStop: one whose parent ended is forgotten at the next look, though
// nobody called stop.
func TestWatchesForgottenStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := open(t)
		defer end()
		parent, cancel := context.WithCancel(t.Context())
		for range 10 {
			h.Add(parent, "alps")
		}
		cancel()
		h.say("alps", lifecycle.Valid, 0)
		if n := h.Len(); n != 0 {
			t.Errorf("%d are kept", n)
		}
	})
}

// TestWatchesName: an integration that is found to be another goes by its id from then on.
func TestWatchesName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := open(t)
		defer end()
		h.say("nameless", lifecycle.Valid, 0)
		h.say("alps", lifecycle.Valid, 0)
		var all []context.Context
		for range 3 {
			ctx, stop := h.Add(t.Context(), "nameless")
			defer stop()
			all = append(all, ctx)
		}
		h.mu.Lock()
		h.names = map[string]string{"nameless": "alps"}
		h.mu.Unlock()
		h.Touch("nameless")
		h.say("alps", lifecycle.Invalid, 0)
		for _, ctx := range all {
			if got := ended(ctx); got != "invalid" {
				t.Error(got)
			}
		}
		if n := h.Len(); n != 0 {
			t.Errorf("%d are kept", n)
		}
	})
}

// TestWatchesClock: a clock that jumps ahead is noticed within a minute.
func TestWatchesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := open(t)
		defer end()
		ctx, stop := h.Add(t.Context(), "alps")
		defer stop()
		h.say("alps", lifecycle.Valid, 24*time.Hour)
		h.mu.Lock()
		h.ahead = 25 * time.Hour
		h.mu.Unlock()
		time.Sleep(time.Minute + patience + time.Minute)
		if got := ended(ctx); got != "unknown" {
			t.Error(got)
		}
	})
}

// TestWatchesAtOnce: contexts come, end and are stopped at the same time.
func TestWatchesAtOnce(t *testing.T) {
	h, end := open(t)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			id := fmt.Sprint("hotel ", n%3)
			for round := range 200 {
				ctx, stop := h.Add(t.Context(), id)
				h.say(id, lifecycle.Status(round%3), time.Duration(round%2)*time.Millisecond)
				if round%5 == 0 {
					h.say(id, lifecycle.Invalid, 0)
					if ctx.Err() == nil {
						t.Error("it did not end at once")
					}
				}
				stop()
			}
		})
	}
	all.Wait()
	if n := h.Len(); n != 0 {
		t.Errorf("%d are kept", n)
	}
	end()
}

// BenchmarkWatches holds 100,000 contexts that end by time, with no goroutine for any, in
// at most 512 bytes each, and ends every one of them with its verdict.
func BenchmarkWatches(b *testing.B) {
	const n = 100_000
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%08d-974d-4f16-9662-ab2200f27cb1", i)
	}
	status := lifecycle.Valid
	w := watch.New(watch.Options{
		Now: func() lifecycle.Instant { return 1 },
		Look: func(id string) (lifecycle.Verdict, lifecycle.Instant) {
			return lifecycle.Verdict{Status: status}, 1e6
		},
		Name: func(id string) string { return id }, Patience: patience, Cause: func(v lifecycle.Verdict) error { return verdict{v} },
	})
	memory := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for b.Loop() {
		status = lifecycle.Valid
		contexts := make([]context.Context, n)
		stops := make([]context.CancelFunc, n)
		before, goroutines := memory(), runtime.NumGoroutine()
		for i, id := range ids {
			contexts[i], stops[i] = w.Add(b.Context(), id)
			contexts[i].Done() // as every user does
		}
		each := (memory() - before) / n
		if more := runtime.NumGoroutine() - goroutines; more > 0 || w.Len() != n || each > 512 {
			b.Fatalf("%d goroutines more, %d watched, %d bytes each", more, w.Len(), each)
		}
		b.ReportMetric(float64(each), "B/hotel")
		status = lifecycle.Invalid
		for i, id := range ids {
			w.Touch(id)
			if ended(contexts[i]) != "invalid" {
				b.Fatalf("%s: %s", id, ended(contexts[i]))
			}
			stops[i]()
		}
		if w.Len() != 0 {
			b.Fatalf("%d are kept", w.Len())
		}
	}
}

// TestTouchAll: what is true of all is true of each at once.
func TestTouchAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := open(t)
		defer end()
		var all []context.Context
		for _, id := range []string{"alps", "dolomites", "alps"} {
			h.say(id, lifecycle.Valid, 0)
			ctx, stop := h.Add(t.Context(), id)
			defer stop()
			all = append(all, ctx)
		}
		h.mu.Lock()
		clear(h.status)
		h.mu.Unlock()
		h.TouchAll()
		time.Sleep(patience - 1e6)
		synctest.Wait()
		for i, ctx := range all {
			if ctx.Err() != nil {
				t.Errorf("%d ended too early", i)
			}
		}
		time.Sleep(1e6)
		synctest.Wait()
		for i, ctx := range all {
			if got := ended(ctx); got != "unknown" {
				t.Errorf("%d: %s", i, got)
			}
		}
	})
}
