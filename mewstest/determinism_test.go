package mewstest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/mewstest"
)

// run lives a quarter of a hostile world, with a receiver that is slow at times and
// an application that asks, and returns the log and what the receiver got.
func run(t *testing.T, seed uint64) (log string, got []string) {
	synctest.Test(t, func(t *testing.T) {
		keys := newNaive()
		var came atomic.Int64
		slow := http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			if n := came.Add(1); n%5 == 0 {
				time.Sleep(time.Duration(n%9) * time.Second) // up to more than Mews waits
			}
			keys.ServeHTTP(rw, req)
		})
		mews := mewstest.New(&mewstest.Options{
			Seed: seed, Receiver: slow, Faults: mewstest.Hostile(), Latency: mewstest.Spread{Max: time.Second},
			Troubles: []mewstest.Chance{{P: 0.1, Trouble: mewstest.Trouble{Status: 503}}},
		})
		watch := mews.Watch(keys.Status)
		for n := range 20 {
			mews.Connect(fmt.Sprintf("Hotel %d", n))
		}
		mews.Live(mewstest.Rates{Every: 5 * 24 * time.Hour, Connect: 24 * time.Hour, Burst: 0.5})
		for range 30 {
			time.Sleep(3 * 24 * time.Hour)
			var all sync.WaitGroup
			for i := range mews.Integrations() {
				all.Go(func() { ask(mews, mews.Connector().ClientToken().Reveal(), i.Token()) }) // at the same moment
			}
			all.Wait()
		}
		mews.Calm()
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // for the slow to end
		var b bytes.Buffer
		if err := mews.WriteLog(&b); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, watch.Account(), mews.Stats())
		for _, r := range keys.requests {
			got = append(got, r.body)
		}
		log = b.String()
	})
	return log, got
}

// TestOneSeedOneRun: the same seed gives the same log, byte for byte, and the same
// deliveries in the same order; another seed does not.
func TestOneSeedOneRun(t *testing.T) {
	log, got := run(t, 7)
	for range 2 {
		again, gotAgain := run(t, 7)
		if again != log {
			t.Fatalf("the same seed gave another log; first difference:\n%s", firstDifference(log, again))
		}
		if !slices.Equal(got, gotAgain) {
			t.Fatal("the same seed gave other deliveries")
		}
	}
	if other, _ := run(t, 8); other == log {
		t.Error("another seed gave the same log")
	}
	for _, kind := range []mewstest.Kind{
		mewstest.Changed, mewstest.Sent, mewstest.Answered, mewstest.Lost, mewstest.Discarded, mewstest.Asked,
	} {
		if !strings.Contains(log, string(kind)+" ") {
			t.Errorf("in a hostile quarter of a year nothing was %s", kind)
		}
	}
}

func firstDifference(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for n := range min(len(left), len(right)) {
		if left[n] != right[n] {
			return left[n] + "\n" + right[n]
		}
	}
	return "the one is longer"
}

// TestSameMoment: what happens at the same moment stands in a fixed order.
func TestSameMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{Manual: true})
		var all sync.WaitGroup
		for range 200 {
			hotel := mews.Connect("A")
			all.Go(func() { ask(mews, mews.Connector().ClientToken().Reveal(), hotel.Token()) })
		}
		all.Wait()
		log := mews.Log()
		if len(log) != 400 || !slices.IsSortedFunc(log, func(a, b mewstest.LogEntry) int { return a.Integration - b.Integration }) {
			t.Errorf("%d entries, in no order", len(log))
		}
	})
}

// TestFaultsApart: turning up one fault leaves the fate of everything else where
// it was.
func TestFaultsApart(t *testing.T) {
	times := func(faults mewstest.Faults) (at []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			mews := mewstest.New(&mewstest.Options{Seed: 3, Receiver: newNaive(), Faults: faults})
			hotel := mews.Connect("A")
			for n := range 20 {
				time.Sleep(time.Hour)
				if n%2 == 0 {
					hotel.Disable()
				} else {
					hotel.Enable()
				}
			}
			if err := mews.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, e := range mews.Log() {
				if e.Kind == mewstest.Sent && e.Sort == "" && e.Attempt == 1 {
					at = append(at, e.At)
				}
			}
		})
		return at
	}
	plain := times(mewstest.Faults{})
	for name, faults := range map[string]mewstest.Faults{
		"duplicates": {Duplicate: 1}, "failures": {Fail: 1}, "others": {Unknown: 1, General: 1}, "shapes": {Null: 1, Extra: 1},
		"lost answers": {LoseAnswer: 1}, "order": {Reorder: 1},
	} {
		if other := times(faults); len(plain) != 21 || !slices.Equal(plain, other) {
			t.Errorf("%s moved the first attempts of other messages:\n%v\n%v", name, plain, other)
		}
	}
}
