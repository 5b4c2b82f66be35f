package mewstest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/mewstest"
)

var secret = lifecycle.NewToken("a secret for tests")

// rackFor opens the real thing, to which the World delivers from then on.
func rackFor(t *testing.T, mews *mewstest.World, probing bool) mewstest.Ask {
	t.Helper()
	options := keyrack.Options{Poll: 24 * time.Hour} // there is one instance, and years are many seconds
	if probing {
		prober, err := connector.New(connector.Demo, mews.Connector().ClientToken(), "Test 1.0", &connector.Options{Transport: mews.Connector()})
		if err != nil {
			t.Fatal(err)
		}
		options.Prober = prober
	}
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), &options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rack.Close() })
	handler, err := rack.Handler([]keyrack.Secret{{Name: "test", Value: secret}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mews.DeliverTo(handler)
	return func(token string) lifecycle.Status { return rack.Check(token).Status }
}

// TestRackOnACleanChannel: acts of every kind, nothing lost, under every reading: a
// Rack without a prober ends up right, or says Unknown.
func TestRackOnACleanChannel(t *testing.T) {
	for readings := range mewstest.EveryReading(mewstest.Readings{}) {
		synctest.Test(t, func(t *testing.T) {
			mews := mewstest.New(&mewstest.Options{Seed: 1, Secret: secret, Readings: readings})
			ask := rackFor(t, mews, false)
			mews.NeverSilentlyWrong(t, ask, 6*time.Minute)
			mews.Live(mewstest.Rates{Every: 2 * day, Connect: 2 * day})
			time.Sleep(30 * day)
			mews.EventuallyNotWrong(t, ask, time.Hour)
			if s := mews.Stats(); s.Messages < 100 || s.Answers[204] != s.Messages || s.Accepted != s.Messages {
				t.Errorf("nobody lived, or not everything was delivered at once: %+v", s)
			}
		})
	}
}

// TestRackRight: without cancellations, on a clean channel, the Rack need not even
// say Unknown.
func TestRackRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{Seed: 2, Secret: secret})
		ask := rackFor(t, mews, false)
		mews.Live(mewstest.Rates{Every: 3 * day, Connect: 3 * day, Weights: mewstest.Weights{Toggle: 5, Rotate: 2, Delete: 1}})
		time.Sleep(60 * day)
		mews.EventuallyRight(t, ask, 0)
	})
}

// TestRackProbing: with a prober, the Rack is never wrong for much longer than the
// lease, whatever the channel does and whatever Mews does not tell.
func TestRackProbing(t *testing.T) {
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			mews := mewstest.New(&mewstest.Options{
				Seed: seed, Secret: secret, Faults: mewstest.Hostile(), Latency: mewstest.Spread{Max: 2 * time.Second},
				Troubles: []mewstest.Chance{
					{P: 0.02, Trouble: mewstest.Trouble{Status: 503}},
					{P: 0.02, Trouble: mewstest.Trouble{Status: 408}},
					{P: 0.02, Trouble: mewstest.Trouble{Status: 429, RetryAfter: time.Minute}},
					{P: 0.01, Trouble: mewstest.Trouble{Hang: true}},
					{P: 0.01, Trouble: mewstest.Trouble{Break: true}},
				},
			})
			ask := rackFor(t, mews, true)
			watch := mews.NeverSilentlyWrong(t, ask, 26*time.Hour)
			mews.Live(mewstest.Rates{
				Every: 5 * day, Connect: 2 * day, Burst: 0.2,
				Weights: mewstest.Weights{Toggle: 10, Cancel: 4, Rotate: 3, Delete: 1, Mews: 2},
			})
			time.Sleep(20 * day)
			mews.EventuallyNotWrong(t, ask, 2*day)
			if mews.Stats().Requests[200] == 0 {
				t.Error("nobody asked")
			}
			t.Log(watch.Account())
		})
	}
}

// TestRackFindsOut: what was lost, and what no event tells, a prober finds out.
func TestRackFindsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{Seed: 1, Secret: secret})
		ask := rackFor(t, mews, true)
		lost, silent, hotel := mews.Connect("A"), mews.Connect("B"), mews.Connect("C")
		mews.Connect("D") // works, and so shows that the ClientToken does
		time.Sleep(day)
		mews.EventuallyRight(t, ask, 0)
		lost.Disable().Drop()
		silent.DisableInMews()
		hotel.Enterprise().Disable()
		time.Sleep(day)
		mews.EventuallyRight(t, ask, 0)
		hotel.Enterprise().Enable()
		silent.EnableInMews()
		mews.EventuallyRight(t, ask, 2*day)
	})
}
