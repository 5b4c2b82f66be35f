package keyrack_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// The worlds in which a fleet lives, and for how much of the time an integration
// may be called Valid there while it is not.
var worlds = []struct {
	name   string
	faults mewstest.Faults
	most   float64 // 0: only stated
}{
	{"flaky", mewstest.Flaky(), 0.0001},
	{"outages", mewstest.Bursty(), 0.0001},
	{"both", both(), 0},
}

func both() mewstest.Faults {
	f := mewstest.Bursty()
	flaky := mewstest.Flaky()
	f.Reorder, f.Fail, f.LoseAnswer = flaky.Reorder, flaky.Fail, flaky.LoseAnswer
	return f
}

// A fleet of hotels lives on virtual time, with a change every 20 days, webhooks
// that are up to 5 minutes late and worse, and a prober with a daily lease.
// KEYRACK_LONG=1 makes the fleet larger, the time longer, and the seeds five; the
// figures of the last long run stand in docs/guarantees.md.
func TestSimulation(t *testing.T) {
	hotels, days, seeds := 30, 60, 1
	if long() {
		hotels, days, seeds = 400, 365, 5
	}
	for i, world := range worlds {
		if testkit.Race && i > 0 {
			break // the detector needs to see one
		}
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s/seed %d", world.name, seed+1), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					account, probes, entries := simulate(t, world.faults, uint64(seed+1), hotels, time.Duration(days)*24*time.Hour)
					perDay := float64(probes) / float64(hotels) / float64(days)
					t.Logf("%v; %.2f probes and %.2f journal entries an integration and day",
						account, perDay, float64(entries)/float64(hotels)/float64(days))
					if world.most > 0 && account.Share(mewstest.Wrong) > world.most {
						t.Errorf("Valid while it is not for %.4f %% of the time, want at most %.4f %%",
							100*account.Share(mewstest.Wrong), 100*world.most)
					}
					if perDay > 2 {
						t.Errorf("%.2f probes an integration and day, want at most 2", perDay)
					}
					if account.Share(mewstest.Right) < 0.99 {
						t.Errorf("right only %.4f %% of the time", 100*account.Share(mewstest.Right))
					}
				})
			})
		}
	}
}

// simulate lets a fleet live, and returns how it was judged, how often was asked,
// and how much the journal grew.
func simulate(t *testing.T, faults mewstest.Faults, seed uint64, hotels int, life time.Duration) (
	account mewstest.Account, probes, entries int,
) {
	secret := lifecycle.NewToken("made-up secret")
	mews := mewstest.New(&mewstest.Options{Seed: seed, Secret: secret, Faults: faults})
	prober, err := connector.New(connector.Demo, mews.Connector().ClientToken(), "Simulation 1.0", &connector.Options{Transport: mews.Connector()})
	if err != nil {
		t.Fatal(err)
	}
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{Prober: prober, Poll: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	handler, err := rack.Handler([]keyrack.Secret{{Name: "simulation", Value: secret}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mews.DeliverTo(handler)
	for i := range hotels {
		mews.Connect(fmt.Sprintf("Hotel %d", i+1))
		time.Sleep(time.Minute)
	}
	time.Sleep(48 * time.Hour)
	asked, began := requests(mews), journalled(t, rack)
	watch := mews.Watch(func(token string) lifecycle.Status { return rack.Check(token).Status })
	// Nobody is deleted, so that the fleet stays as large as it is.
	mews.Live(mewstest.Rates{Weights: mewstest.Weights{Toggle: 12, Cancel: 4, Rotate: 3}})
	time.Sleep(life)
	watch.Stop()
	mews.Calm()
	return watch.Account(), requests(mews) - asked, journalled(t, rack) - began
}

func journalled(t *testing.T, rack *keyrack.Rack) int {
	last, err := rack.JournalEnd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(last)
}

func requests(mews *mewstest.World) int {
	n := 0
	for _, count := range mews.Stats().Requests {
		n += count
	}
	return n
}

// In an ordinary life without a prober, where every third change is followed by another
// within minutes and nothing is lost, what somebody knows of reinstating narrows what is
// Unknown, and so do the application's own calls: they are the questions then.
// KEYRACK_LONG=1 takes longer.
func TestOrdinaryLife(t *testing.T) {
	hotels, days := 40, 40
	if long() {
		hotels, days = 400, 365
	}
	share := func(policy keyrack.Policy, calls time.Duration) (unknown float64) {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, hotels, 1, false, mewstest.Options{Seed: 1}, func(o *keyrack.Options) { o.Policy = policy })
			defer f.close()
			time.Sleep(time.Hour)
			watch := f.mews.Watch(func(token string) lifecycle.Status {
				if rack := f.rack(0); rack != nil {
					return rack.Check(token).Status
				}
				return lifecycle.Unknown
			})
			f.mews.Live(mewstest.Rates{Burst: 0.3, Weights: mewstest.Weights{Toggle: 12, Cancel: 4, Rotate: 3}})
			f.live(hotelWorld{calls: calls}, time.Now().Add(time.Duration(days)*24*time.Hour))
			watch.Stop()
			account := watch.Account()
			t.Logf("%+v, calls every %v: %v", policy, calls, account)
			unknown = account.Share(mewstest.Undecided)
		})
		return unknown
	}
	asIs := share(keyrack.Policy{}, 0)
	if keeps := share(keyrack.Policy{Reinstated: lifecycle.No}, 0); keeps > 0.65*asIs || asIs == 0 {
		t.Errorf("Unknown %.2f %% of the time, and %.2f %% where reinstating is known to keep the flag", 100*asIs, 100*keeps)
	}
	if calls := share(keyrack.Policy{}, time.Hour); calls > 0.4*asIs {
		t.Errorf("Unknown %.2f %% of the time, and %.2f %% where the application calls every hour", 100*asIs, 100*calls)
	}
}
