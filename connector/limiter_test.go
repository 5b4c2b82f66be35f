package connector_test

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := connector.NewLimiter(connector.Limit, connector.Window)
		a, b := lifecycle.Digest{1}, lifecycle.Digest{2}
		for i := range connector.Limit {
			if wait := l.Allow(a); wait != 0 {
				t.Fatalf("request %d: wait %v", i, wait)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if wait := l.Allow(a); wait != 20*time.Second {
			t.Errorf("wait %v after 200 requests within 10 s, want 20 s", wait)
		}
		if wait := l.Allow(b); wait != 0 {
			t.Errorf("another token: wait %v", wait)
		}
		time.Sleep(20*time.Second - time.Nanosecond)
		if wait := l.Allow(a); wait != time.Nanosecond {
			t.Errorf("wait %v, want 1 ns", wait)
		}
		time.Sleep(time.Nanosecond)
		if wait := l.Allow(a); wait != 0 {
			t.Errorf("wait %v", wait)
		}
		if wait := l.Allow(a); wait != 50*time.Millisecond {
			t.Errorf("wait %v, want 50 ms, for the second request to leave the window", wait)
		}
	})
}

func TestLimiterPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := connector.NewLimiter(0, time.Second) // 0 counts as 1
		a := lifecycle.Digest{1}
		l.Pause(a, time.Hour)
		l.Pause(a, time.Minute) // shortens nothing
		l.Pause(lifecycle.Digest{2}, -time.Hour)
		for range 59 { // not even by being forgotten
			time.Sleep(time.Minute)
			if wait := l.Allow(lifecycle.Digest{2}); wait != 0 {
				t.Fatalf("another token: wait %v", wait)
			}
		}
		if wait := l.Allow(a); wait != time.Minute {
			t.Errorf("wait %v, want 1 min", wait)
		}
		time.Sleep(time.Minute)
		if wait := l.Allow(a); wait != 0 {
			t.Errorf("wait %v", wait)
		}
	})
}

// TestLimiterProperties drives a limiter along any course of requests, pauses
// and gaps, beside a model that forgets nothing: it allows exactly what the model
// allows, and tells exactly when the next request may come.
func TestLimiterProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			limit := rapid.IntRange(1, 6).Draw(t, "limit")
			window := time.Duration(rapid.IntRange(1, 20).Draw(t, "window"))
			l := connector.NewLimiter(limit, window)
			began := map[lifecycle.Digest][]time.Time{}
			paused := map[lifecycle.Digest]time.Time{}
			for range rapid.IntRange(1, 200).Draw(t, "steps") {
				token := lifecycle.Digest{rapid.ByteMax(2).Draw(t, "token")}
				now := time.Now()
				switch rapid.IntRange(0, 9).Draw(t, "what") {
				case 0, 1, 2:
					time.Sleep(time.Duration(rapid.IntRange(0, 25).Draw(t, "sleep")))
				case 3:
					d := time.Duration(rapid.IntRange(-5, 60).Draw(t, "pause"))
					l.Pause(token, d)
					if until := now.Add(d); until.After(paused[token]) {
						paused[token] = until
					}
				default:
					want := max(paused[token].Sub(now), 0)
					if b := began[token]; want == 0 && len(b) >= limit {
						want = max(b[len(b)-limit].Add(window).Sub(now), 0)
					}
					if wait := l.Allow(token); wait != want {
						t.Fatalf("token %d: wait %v, want %v; before it %v", token[0], wait, want, began[token])
					}
					if want == 0 {
						began[token] = append(began[token], now)
					}
				}
			}
			for token, b := range began {
				for i := limit; i < len(b); i++ {
					if d := b[i].Sub(b[i-limit]); d < window {
						t.Fatalf("token %d: %d requests within %v", token[0], limit+1, d)
					}
				}
			}
		})
	})
}

// TestLimiterMemory: 200,000 tokens, each asked about once, one after the
// other, leave nothing behind; and few requests cost few bytes.
func TestLimiterMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := connector.NewLimiter(connector.Limit, connector.Window)
		heap := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := heap()
		for i := range 200_000 {
			l.Allow(lifecycle.Digest{byte(i), byte(i >> 8), byte(i >> 16)})
			time.Sleep(10 * time.Millisecond) // 3,000 in a window
		}
		if grown := heap() - before; grown > 2<<20 {
			t.Errorf("%d bytes", grown)
		}
		runtime.KeepAlive(l)
	})
}

// TestLimiterConcurrent: a crowd gets exactly the limit.
func TestLimiterConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := connector.NewLimiter(connector.Limit, connector.Window)
		var mu sync.Mutex
		allowed := 0
		var wg sync.WaitGroup
		for range 2 * connector.Limit {
			wg.Go(func() {
				if l.Allow(lifecycle.Digest{1}) == 0 {
					mu.Lock()
					allowed++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if allowed != connector.Limit {
			t.Errorf("%d allowed", allowed)
		}
	})
}
