package mewstest_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

const day = 24 * time.Hour

// TestLive: changes come as a Poisson process does, each kind in proportion.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{Seed: 1, Receiver: newNaive(), Lag: mewstest.AtOnce})
		for n := range 200 {
			mews.Connect(fmt.Sprint("Hotel ", n))
		}
		mews.Live(mewstest.Rates{Weights: mewstest.Weights{Toggle: 3, Rotate: 1}})
		time.Sleep(200 * day)
		mews.Calm()
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		// 200 integrations for 10 times the mean: 2000 changes, 45 more or less.
		changes := mews.Stats().Changes - 200
		if math.Abs(float64(changes-2000)) > 4*45 {
			t.Errorf("%d changes", changes)
		}
		last := map[int]time.Duration{}
		var rotations, long, gaps int
		for _, e := range mews.Log() {
			if e.Kind != mewstest.Changed {
				continue
			}
			if e.What == "key rotated" {
				rotations++
			}
			if before, ok := last[e.Integration]; ok {
				gaps++
				if e.At-before > 20*day {
					long++
				}
			}
			last[e.Integration] = e.At
		}
		if !about(rotations, changes, 0.25) {
			t.Errorf("%d of %d changes are rotations", rotations, changes)
		}
		// Of exponential times a part of 1/e is longer than the mean; the last ones are cut off.
		if share := float64(long) / float64(gaps); share < 0.3 || share > 0.4 {
			t.Errorf("a share of %.2f of the times is longer than the mean", share)
		}
		if time.Sleep(100 * day); mews.Stats().Changes-200 != changes {
			t.Error("changes after Calm")
		}
	})
}

// TestLiveEnds: by a number of changes, and when nobody is left.
func TestLiveEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{Receiver: newNaive()})
		mews.Live(mewstest.Rates{Connect: day, Most: 100, Weights: mewstest.Weights{Toggle: 1, Mews: 1, Enterprise: 1}})
		if err := mews.Settle(t.Context()); err != nil || mews.Stats().Changes != 100 {
			t.Errorf("%v, %d changes", err, mews.Stats().Changes)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{Receiver: newNaive()})
		hotel := mews.Connect("A")
		mews.Live(mewstest.Rates{Most: 100, Weights: mewstest.Weights{Delete: 1}})
		if err := mews.Settle(t.Context()); err != nil || !hotel.Deleted() {
			t.Errorf("%v, deleted: %t", err, hotel.Deleted())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{Receiver: newNaive()})
		mews.Connect("A")
		mews.Live(mewstest.Rates{Most: 100})
		ctx, cancel := context.WithTimeout(t.Context(), day)
		defer cancel()
		if err := mews.Settle(ctx); err == nil {
			t.Error("a hundred changes in a day")
		}
		mews.Calm()
		if err := mews.Settle(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestMany: what an integration costs in memory, so that 100,000 fit.
func TestMany(t *testing.T) {
	const many = 20_000
	before := heap()
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{LogMost: 1000, Receiver: nothing{}})
		for range many {
			mews.Connect("A")
		}
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		mews.Live(mewstest.Rates{})
		time.Sleep(10 * day)
		mews.Calm()
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(mews.Log()); n != 1000 {
			t.Errorf("%d entries in the log", n)
		}
		if changes := mews.Stats().Changes - many; !about(changes, many, 0.5) {
			t.Errorf("%d changes", changes)
		}
		per := (int64(heap()) - int64(before)) / many
		t.Logf("%d bytes an integration", per)
		if per > 1500 {
			t.Errorf("%d bytes an integration", per)
		}
		runtime.KeepAlive(mews)
	})
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func allValid(string) lifecycle.Status   { return lifecycle.Valid }
func allUnknown(string) lifecycle.Status { return lifecycle.Unknown }
func allInvalid(string) lifecycle.Status { return lifecycle.Invalid }
