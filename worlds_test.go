package keyrack_test

import (
	"cmp"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// hotelWorld is a way for Mews, the channel, the receiver and the callers to go wrong.
type hotelWorld struct {
	name      string
	options   mewstest.Options
	instances int           // 0 means 1
	calls     time.Duration // between two calls of the application's own for each hotel; 0: none
	restarts  bool
	away      []mewstest.Window // when receiver, Mews or the ClientToken is away
	most      time.Duration     // of a wrong Invalid in one go; 0: any
	questions float64           // at most, an integration and day; 0 means 2
}

// refusals are half an hour every two weeks.
var refusals = []mewstest.Window{{Start: 75 * time.Hour, For: 30 * time.Minute, Every: 14 * day}}

// silence is two hours every week.
var silence = []mewstest.Window{{Start: 51 * time.Hour, For: 2 * time.Hour, Every: 7 * day}}

// nodes are four hours every two weeks.
var nodes = []mewstest.Window{{Start: 75 * time.Hour, For: 4 * time.Hour, Every: 14 * day}}

func refused(during []mewstest.Window, p float64, status int) []mewstest.Chance {
	return []mewstest.Chance{{P: p, Trouble: mewstest.Trouble{Status: status}, During: during}}
}

var hotelWorlds = []hotelWorld{
	{name: "flaky", options: mewstest.Options{Faults: mewstest.Flaky()}},
	{name: "Mews silent for 2 h a week", options: mewstest.Options{Faults: mewstest.Flaky(), Troubles: refused(silence, 1, 503)}, away: silence, questions: 2.3},
	{name: "ClientToken refused for 30 min every two weeks", options: mewstest.Options{Faults: mewstest.Flaky(), Troubles: refused(refusals, 1, 401)}, away: refusals},
	{name: "ClientToken refused for 30 min every two weeks, own calls", options: mewstest.Options{Faults: mewstest.Flaky(), Troubles: refused(refusals, 1, 401)}, away: refusals, calls: time.Hour},
	{name: "two instances with restarts", options: mewstest.Options{Faults: mewstest.Flaky()}, instances: 2, restarts: true},
	{name: "single nodes refuse 30 % for 4 h every two weeks", options: mewstest.Options{Faults: mewstest.Flaky(), Troubles: refused(nodes, 0.3, 401)}, away: nodes, most: 2 * time.Hour},
	{name: "new keys slow to work", options: mewstest.Options{Faults: mewstest.Flaky(), Readings: mewstest.Readings{SlowKey: 30 * time.Second, FormerKey: time.Hour}}},
	{name: "former keys live on", options: mewstest.Options{Faults: mewstest.Flaky(), Readings: mewstest.Readings{FormerKey: 2 * day}}},
}

// standing is how a receiver stood to the truth.
type standing struct {
	mewstest.Account
	floor   mewstest.Account
	unheard float64 // share of the time in which the current token was never told of
	perDay  float64 // probes an integration and day
	known   mewstest.Account
}

// liveIn has a fleet live in a world for so many days, and says how it was judged.
func liveIn(t *testing.T, world hotelWorld, seed uint64, hotels, days int, asks bool) (s standing) {
	synctest.Test(t, func(t *testing.T) {
		world.options.Seed = seed
		f := newFleet(t, hotels, max(1, world.instances), asks, world.options)
		defer f.close()
		time.Sleep(24*time.Hour + 59*time.Minute)
		began := time.Now()
		ask := func(token string) lifecycle.Status {
			for n := range f.instances {
				if rack := f.rack(n); rack != nil {
					return rack.Check(token).Status
				}
			}
			return lifecycle.Unknown
		}
		// judged leaves out what nobody could know: tokens that no webhook told of, and
		// Unknown while somebody is away, or has just come back.
		judged := func(token string) lifecycle.Status {
			truth := lifecycle.Invalid
			if f.mews.Works(token) {
				truth = lifecycle.Valid
			}
			for n := range f.instances {
				if rack := f.rack(n); rack != nil {
					v := rack.Check(token)
					if v.Status == lifecycle.Unknown && (v.Reason == lifecycle.ReasonUnfamiliar || openOf(world.away, time.Since(f.began))) {
						return truth
					}
					return v.Status
				}
			}
			return truth
		}
		watches := []*mewstest.Watch{f.mews.Watch(ask), f.mews.Watch(judged), f.mews.Watch(f.floor.status)}
		asked := f.probes.Load()
		f.mews.Live(mewstest.Rates{Weights: mewstest.Weights{Toggle: 12, Cancel: 4, Rotate: 3}})
		f.live(world, began.Add(time.Duration(days)*24*time.Hour))
		for _, w := range watches {
			w.Stop()
		}
		s.Account, s.known, s.floor = watches[0].Account(), watches[1].Account(), watches[2].Account()
		s.unheard = s.Share(mewstest.Undecided) - s.known.Share(mewstest.Undecided)
		s.perDay = float64(f.probes.Load()-asked) / float64(hotels) / float64(days)
	})
	return s
}

// openOf reports whether a window is open, or closed a little while ago.
func openOf(windows []mewstest.Window, since time.Duration) bool {
	for _, w := range windows {
		at := since - w.Start
		if at >= 0 && w.Every > 0 {
			at %= w.Every
		}
		if at >= 0 && at < w.For+20*time.Minute {
			return true
		}
	}
	return false
}

// TestWorlds has a fleet of hotels live in worlds that go wrong in every way that Keyrack
// should live with. In none is it wrong for longer than a receiver that every webhook that gets
// through tells the whole truth, except for 0.002 percentage points. KEYRACK_LONG=1 takes 40
// hotels, 100 days and 4 seeds for each.
func TestWorlds(t *testing.T) {
	hotels, days, seeds := 16, 14, 1 // whole weeks, or an outage a week weighs more
	if long() {
		hotels, days, seeds = 40, 100, 4
	}
	for i, world := range hotelWorlds {
		if testkit.Race && i > 0 {
			break // the detector needs to see one
		}
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s/seed %d", world.name, seed+1), func(t *testing.T) {
				s := liveIn(t, world, uint64(seed+1), hotels, days, true)
				t.Logf("%v; longest wrong invalid %v; floor: %v; beside absences undecided %.4f %%; unheard of %.4f %%; %.2f probes an integration and day",
					s.Account, s.Longest[mewstest.Denied].Round(time.Second), s.floor, 100*s.known.Share(mewstest.Undecided), 100*s.unheard, s.perDay)
				for _, stance := range []mewstest.Stance{mewstest.Wrong, mewstest.Denied} {
					if got, most := s.Share(stance), s.floor.Share(stance)+0.00002; got > most {
						t.Errorf("%v for %.4f %% of the time, want at most %.4f %%", stance, 100*got, 100*most)
					}
				}
				if got := s.known.Share(mewstest.Undecided); got > 0.0005 {
					t.Errorf("Unknown for %.4f %% of the time, want at most 0.05 %%", 100*got)
				}
				if most := cmp.Or(world.questions, 2); s.perDay > most {
					t.Errorf("%.2f probes an integration and day, want at most %v", s.perDay, most)
				}
				if world.most > 0 && s.Longest[mewstest.Denied] > world.most {
					t.Errorf("a token that works was called Invalid for %v, want at most %v", s.Longest[mewstest.Denied], world.most)
				}
			})
		}
	}
}
