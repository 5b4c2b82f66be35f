package keyrack_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// TestTheClientTokenIsRefusedForAWhile has Mews refuse the ClientToken, and so every token, in
// fleets of every size, and has the first question come from a webhook, from the application's own
// calls, or from the lease. No token becomes Invalid, not for an instant; somebody is alarmed within
// five minutes of the first refused question, or ten where only one hotel works; and soon after
// Mews answers again nothing is Unknown.
func TestTheClientTokenIsRefusedForAWhile(t *testing.T) {
	seeds := uint64(1)
	if long() {
		seeds = 20
	}
	for _, hotels := range []int{1, 2, 3, 10, 40} {
		if testkit.Race && hotels > 3 {
			break
		}
		for _, lasts := range []time.Duration{10 * time.Minute, 2 * time.Hour} {
			for _, asks := range []string{"webhook", "own calls", "lease"} {
				for seed := range seeds {
					t.Run(fmt.Sprintf("%d hotels/%v/%s/seed %d", hotels, lasts, asks, seed), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { refuseClientToken(t, seed, hotels, lasts, asks) })
					})
				}
			}
		}
	}
}

func refuseClientToken(t *testing.T, seed uint64, hotels int, lasts time.Duration, asks string) {
	random := rand.New(rand.NewPCG(seed, uint64(hotels)))
	f := newFleet(t, hotels, 1, true, mewstest.Options{Seed: seed, Lag: mewstest.AtOnce, Latency: mewstest.Spread{Max: time.Second}})
	defer f.close()
	rack := f.rack(0)
	time.Sleep(2*time.Hour + time.Duration(random.IntN(3600))*time.Second)
	if asks == "lease" { // wait until shortly before the first question
		before := f.probes.Load()
		for f.probes.Load() == before {
			time.Sleep(time.Second)
		}
		time.Sleep(15 * time.Hour)
	}
	f.mews.Connector().Break(mewstest.Trouble{Status: 401})
	asked, first := f.probes.Load(), time.Now()
	switch asks {
	case "webhook":
		for i := range f.mews.Integrations() {
			f.mews.Forge(enabledOnceMore(i)).Deliver()
			if random.IntN(3) > 0 {
				break
			}
		}
	case "own calls":
		f.call()
	}
	for f.probes.Load() == asked {
		first = time.Now() // before the first question
		time.Sleep(time.Second)
	}
	for time.Since(first) < lasts {
		time.Sleep(5 * time.Second)
		f.noneInvalid("while it is refused")
		if at, ok := f.alarmed(keyrack.AlarmTrouble, first); ok && time.Since(at) > 10*time.Second {
			for i := range f.mews.Integrations() { // what it was before
				if v := rack.Check(i.Token()); v.Status != lifecycle.Valid {
					t.Fatalf("%v is %v (%v), though it is known that the ClientToken is refused", i, v.Status, v.Reason)
				}
			}
		}
	}
	if _, ok := f.alarmed(keyrack.AlarmTrouble, first); !ok && hotels > 1 {
		t.Error("with several hotels nobody noticed that it is the ClientToken")
	}
	within := 5 * time.Minute
	if hotels == 1 {
		within = 10 * time.Minute
	}
	at, ok := f.alarmed(keyrack.AlarmTrouble, first)
	if alone, also := f.alarmed(keyrack.AlarmNoWitness, first); also && (!ok || alone.Before(at)) {
		at, ok = alone, also
	}
	if !ok || at.Sub(first) > within {
		t.Errorf("alarmed %v, %v after the first refused question; want within %v", ok, at.Sub(first), within)
	}
	f.mews.Connector().Mend()
	mended, limit := time.Now(), 2*time.Minute
	if hotels < 40 {
		limit = 15 * time.Minute
	}
	for time.Since(mended) < 24*time.Hour {
		time.Sleep(5 * time.Second)
		f.noneInvalid("after it")
		for i := range f.mews.Integrations() {
			if v := rack.Check(i.Token()); v.Status == lifecycle.Unknown && time.Since(mended) > limit {
				t.Fatalf("%v is still unknown (%v) %v after the ClientToken works again", i, v.Reason, time.Since(mended))
			}
		}
		if time.Since(mended) > time.Hour {
			time.Sleep(10 * time.Minute)
		}
	}
}

// enabledOnceMore is a copy of a webhook that changes nothing.
func enabledOnceMore(i *mewstest.Integration) events.Event {
	return events.Event{
		Action: lifecycle.IntegrationEnabled, Name: lifecycle.IntegrationEnabled.String(),
		Integration: lifecycle.Named{ID: i.ID(), Name: i.Name()},
	}
}

// noneInvalid fails the test if a token is Invalid.
func (f *hotelFleet) noneInvalid(when string) {
	f.Helper()
	for i := range f.mews.Integrations() {
		if v := f.rack(0).Check(i.Token()); v.Status == lifecycle.Invalid {
			f.Fatalf("%s: %v is invalid (%v), and works", when, i, v.Reason)
		}
	}
}

// TestWhatLooksLikeTroubleEnds: four hotels are disabled at once, so that their 401s look like a
// ClientToken that is refused, and one of them is the latest that worked. Others that work still
// are asked in turn, so the trouble ends, and asking about the touched ones again begins none.
func TestWhatLooksLikeTroubleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6, 1, true, mewstest.Options{Lag: mewstest.AtOnce, Latency: mewstest.Spread{Min: 2 * time.Second, Max: 2 * time.Second}})
		defer f.close()
		time.Sleep(time.Hour)
		hotels := slices.Collect(f.mews.Integrations())
		f.mews.Forge(enabledOnceMore(hotels[3])).Deliver()
		time.Sleep(time.Minute)
		for _, hotel := range hotels[:4] {
			hotel.DisableInMews()
		}
		for _, hotel := range hotels[:3] {
			f.mews.Forge(enabledOnceMore(hotel)).Deliver()
		}
		time.Sleep(5 * time.Minute)
		if _, ok := f.alarmed(keyrack.AlarmTrouble, f.began); !ok {
			t.Fatal("nothing looks like trouble; the test needs another order")
		}
		time.Sleep(25 * time.Minute)
		for _, hotel := range hotels[:3] {
			if v := f.rack(0).Check(hotel.Token()); v.Status != lifecycle.Invalid {
				t.Errorf("%v does not work, and is %v (%v) half an hour after it was asked about", hotel, v.Status, v.Reason)
			}
		}
		f.mews.EventuallyRight(t, func(token string) lifecycle.Status { return f.rack(0).Check(token).Status }, maxAge)
	})
}
