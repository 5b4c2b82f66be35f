package mewstest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/mewstest"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A World with a clock of its own does nothing but in Advance, and then all of it.
func TestOwnClockMovesByAdvanceAlone(t *testing.T) {
	var got int
	w := mewstest.New(&mewstest.Options{
		Start: epoch, Lag: mewstest.Spread{Min: time.Minute, Max: time.Minute},
		Receiver: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { got++; rw.WriteHeader(http.StatusNoContent) }),
	})
	w.Connect("Alpenrose")
	w.Advance(0)
	w.Advance(-time.Hour)
	w.Advance(time.Minute - 1)
	if got != 0 || !w.Now().Equal(epoch.Add(time.Minute-1)) {
		t.Fatalf("%d deliveries at %s, want none before the lag has passed", got, w.Now())
	}
	w.Advance(1)
	if got != 1 || !w.Now().Equal(epoch.Add(time.Minute)) {
		t.Fatalf("%d deliveries at %s, want 1 after a minute", got, w.Now())
	}
}

// What fails is tried again at the World's times, and Settle advances as far as needed.
func TestOwnClockSettles(t *testing.T) {
	var at []time.Time
	var w *mewstest.World
	w = mewstest.New(&mewstest.Options{
		Start: epoch, Lag: mewstest.Spread{Min: 1, Max: 1}, Gap: mewstest.Spread{Min: 3 * time.Minute, Max: 3 * time.Minute},
		Receiver: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			at = append(at, w.Now())
			rw.WriteHeader(http.StatusServiceUnavailable)
		}),
	})
	w.Connect("Alpenrose")
	if err := w.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(at) != 3 || at[2].Sub(at[0]) != 6*time.Minute {
		t.Errorf("attempts at %v, want 3, each 3 minutes after the one before", at)
	}
}

// The same seed and the same calls give the same bytes, in real time too.
func TestOwnClockIsDeterministic(t *testing.T) {
	run := func() string {
		var b bytes.Buffer
		w := mewstest.New(&mewstest.Options{
			Seed: 7, Start: epoch, Faults: mewstest.Hostile(),
			Receiver: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
				_, _ = b.ReadFrom(req.Body)
				rw.WriteHeader(http.StatusNoContent)
			}),
		})
		for i := range 5 {
			w.Connect(fmt.Sprintf("Hotel %d", i))
		}
		w.Live(mewstest.Rates{})
		w.Advance(60 * 24 * time.Hour)
		w.Calm()
		if err := w.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteLog(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	first := run()
	if len(first) < 10_000 {
		t.Fatalf("only %d bytes: too little happened to prove anything", len(first))
	}
	for range 20 {
		if again := run(); again != first {
			t.Fatal("the same seed and the same calls gave other bytes")
		}
	}
}
