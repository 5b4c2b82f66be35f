package keyrack_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// After an absence everything is asked anew, however long Mews is silent at first.
func TestASweepWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle("k")
		b := opened(t, o, s, sealer)
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.witness()
		settle(time.Minute)
		b.Close()
		o.set(func(o *oracle) { delete(o.works, tokenText("k")); o.silent = true })
		settle(time.Hour)
		b = opened(t, o, s, sealer)
		defer b.Close()
		settle(20 * time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		o.set(func(o *oracle) { o.silent = false })
		settle(20 * time.Minute) // the back-off of both, and two 401s a minute apart
		b.is("k", lifecycle.Invalid, lifecycle.ReasonRejected)
	})
}

// What happened between a copy and its restoration is asked for at once.
func TestRestoredIntegrationsAreAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle("k")
		b := opened(t, o, s, sealer)
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.witness()
		settle(time.Minute)
		var export bytes.Buffer
		if _, err := atrest.Export(context.Background(), s, &export, true); err != nil {
			t.Fatal(err)
		}
		b.Close()
		o.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		s = memstore.New(nil)
		for _, err := range atrest.Restore(context.Background(), s, sealer, &export) {
			if err != nil {
				t.Fatal(err)
			}
		}
		b = opened(t, o, s, sealer)
		defer b.Close()
		settle(5 * time.Minute)
		b.is("k", lifecycle.Invalid, lifecycle.ReasonRejected)
	})
}

// A store that is away for a moment in the middle of a sweep does not have it
// begin anew.
func TestASweepGoesOn(t *testing.T) {
	const hotels = 60
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle()
		leases := &slowLeases{Store: s}
		open := func(rate float64) *keyrack.Rack {
			rack, err := keyrack.Open(context.Background(), leases, &keyrack.Options{Prober: o, Sealer: sealer, ProbeRate: rate})
			if err != nil {
				t.Fatal(err)
			}
			return rack
		}
		rack := open(100)
		for i := range hotels {
			name := fmt.Sprint(i)
			o.set(func(o *oracle) { o.works[tokenText(name)] = enterpriseID("H") })
			bench{T: t, Rack: rack}.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Minute)
		rack.Close()
		settle(time.Hour)
		o.set(func(o *oracle) { o.asked = nil })
		rack = open(1)
		defer rack.Close()
		settle(hotels / 2 * time.Second)
		leases.hang.Store(true)
		settle(15 * time.Second)
		leases.hang.Store(false)
		settle(10 * time.Minute)
		o.set(func(o *oracle) {
			if n := len(o.asked); n != hotels {
				t.Errorf("%d questions about %d integrations", n, hotels)
			}
		})
	})
}

// An instance that leads again asks nothing anew as long as another one led meanwhile.
func TestNoSweepWhereAnotherInstanceLed(t *testing.T) {
	const hotels = 10
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle()
		leases := &slowLeases{Store: s}
		open := func(s store.Store) *keyrack.Rack {
			rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Prober: o, Sealer: sealer})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return rack
		}
		rack, other := open(leases), open(s)
		defer rack.Close()
		for i := range hotels {
			name := fmt.Sprint(i)
			o.set(func(o *oracle) { o.works[tokenText(name)] = enterpriseID("H") })
			bench{T: t, Rack: rack}.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Minute)
		leases.hang.Store(true) // the other one leads
		settle(10 * time.Minute)
		leases.hang.Store(false)
		other.Close() // and no longer does
		settle(10 * time.Minute)
		o.set(func(o *oracle) {
			if n := len(o.asked); n != hotels {
				t.Errorf("%d questions about %d integrations", n, hotels)
			}
		})
		alive, err := s.Cursor(context.Background(), "probe")
		if age := time.Since(lifecycle.Instant(alive).Time()); err != nil || age > time.Minute {
			t.Errorf("the first does not lead again: the cursor is %v old, %v", age, err)
		}
	})
}

// A sweep ends although there is nothing to ask with about some.
func TestASweepEndsWithoutTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle("k")
		b := opened(t, o, s, sealer)
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		record, _ := b.Record(integrationID("a"))
		if err := s.Shred(context.Background(), store.Ref{Integration: record.ID, Digest: record.Keys[0].Digest}); err != nil {
			t.Fatal(err)
		}
		b.Close()
		settle(time.Hour)
		b = opened(t, o, s, sealer)
		defer b.Close()
		settle(10 * time.Minute)
		alive, err := s.Cursor(context.Background(), "probe")
		if age := time.Since(lifecycle.Instant(alive).Time()); err != nil || age > time.Minute {
			t.Errorf("the schedule was alive %v ago, as the store has it: %v", age, err)
		}
	})
}

// What is due stands in the store: a Rack that opens on it asks what its
// predecessor did not get to ask, and everything anew if nobody was there.
func TestWhatIsDueSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s, sealer := newOracle("k", "l"), memstore.New(nil), seal.Ephemeral()
		o.silent = true
		b := opened(t, o, s, sealer)
		b.deliver(creation("a", "k", lifecycle.No))
		settle(time.Second)
		b.Close()
		o.set(func(o *oracle) { o.silent = false })
		b = opened(t, o, s, sealer)
		settle(time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)

		settle(time.Minute)
		before := o.questions("k")
		b.Close()
		b = opened(t, o, s, sealer) // at once: nothing can have been lost
		settle(time.Minute)
		if o.questions("k") != before {
			t.Error("a short restart asks everything anew")
		}
		b.Close()
		settle(time.Hour)
		b = opened(t, o, s, sealer)
		defer b.Close()
		settle(time.Minute)
		if n := o.questions("k") - before; n != 1 {
			t.Errorf("%d questions after an hour away, want 1", n)
		}
	})
}

// TestRestartAsksNobody: after seconds without an instance nobody is asked anew, though one
// hotel is never answered for; after an hour everybody is, spread over the budget.
func TestRestartAsksNobody(t *testing.T) {
	const hotels = 50
	for name, takeover := range map[string]bool{"restart": false, "takeover": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle()
				open := func() bench {
					rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Prober: o, Sealer: sealer, ProbeRate: 1})
					if err != nil {
						t.Fatal(err)
					}
					return bench{T: t, Rack: rack, oracle: o}
				}
				asked := func() (all []time.Time) {
					o.set(func(o *oracle) { all, o.asked = o.asked, nil })
					return all
				}
				b := open()
				for i := range hotels {
					name := fmt.Sprint(i)
					o.set(func(o *oracle) { o.works[tokenText(name)] = enterpriseID("H") })
					b.deliver(creation(name, name, lifecycle.Yes))
				}
				settle(time.Hour)
				o.set(func(o *oracle) { o.mute = tokenText("7") })
				next := b
				for range 3 {
					if takeover {
						next = open()
						settle(time.Second)
					}
					b.Close()
					settle(5 * time.Second)
					if !takeover {
						next = open()
					}
					b = next
					before := o.questions("7")
					asked()
					settle(10 * time.Minute)
					if n := len(asked()) - (o.questions("7") - before); n != 0 {
						t.Errorf("%d questions about hotels that were asked about before", n)
					}
				}
				b.Close()
				settle(time.Hour)
				b = open()
				defer func() { b.Close() }()
				asked()
				settle(5 * time.Minute)
				all := asked()
				if len(all) < hotels {
					t.Errorf("after an hour %d of %d hotels were asked about", len(all), hotels)
				}
				for i := 1; i < len(all); i++ {
					if apart := all[i].Sub(all[i-1]); apart < time.Second {
						t.Fatalf("two questions are %v apart, with a budget of one a second", apart)
					}
				}
				// The sweep waits for the hotel that is never answered for, and nobody else
				// is asked about again because of that.
				b.Close()
				settle(5 * time.Second)
				b = open()
				before := o.questions("7")
				asked()
				settle(10 * time.Minute)
				if n := len(asked()) - (o.questions("7") - before); n != 0 {
					t.Errorf("%d questions about hotels that were swept before", n)
				}
			})
		})
	}
}
