package keyrack_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// naive is a receiver as it is often written: it believes what arrives. How far it believes
// is what tells one from another.
type naive struct {
	take func(h *naiveHotel, a lifecycle.Action, on bool)

	mu     sync.Mutex
	hotels map[string]*naiveHotel // by integration
	tokens map[string]string      // to an integration
}

// naiveHotel is what such a receiver knows of an integration.
type naiveHotel struct {
	token  string
	state  lifecycle.Action // of the chain; ActionUnknown before the creation
	on     bool             // the token is taken to work
	parked []lifecycle.Action
}

func (n *naive) hear(body []byte) {
	e, err := events.Decode(body)
	if err != nil || e.Integration.ID == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hotels[e.Integration.ID]
	if h == nil {
		h = new(naiveHotel)
		n.hotels[e.Integration.ID] = h
	}
	switch e.Action {
	case lifecycle.IntegrationCreated:
		if h.token == "" {
			h.token = e.AccessToken.Reveal()
		}
		n.tokens[e.AccessToken.Reveal()] = e.Integration.ID
	case lifecycle.IntegrationApiKeyCreated:
		h.token = e.ApiKey.Reveal()
		n.tokens[h.token] = e.Integration.ID
		return
	}
	n.take(h, e.Action, e.IsEnabled == lifecycle.Yes)
}

func (n *naive) status(token string) lifecycle.Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, known := n.tokens[token]
	h := n.hotels[id]
	switch {
	case !known || h.state == lifecycle.ActionUnknown:
		return lifecycle.Unknown
	case h.token == token && h.on:
		return lifecycle.Valid
	}
	return lifecycle.Invalid
}

// lastEventWins believes the latest arrival.
func lastEventWins(h *naiveHotel, a lifecycle.Action, on bool) {
	h.state = a
	switch a {
	case lifecycle.IntegrationCreated:
		h.on = on
	case lifecycle.IntegrationEnabled, lifecycle.IntegrationReinstated:
		h.on = true
	default:
		h.on = false
	}
}

// leads says what may follow what in the chain of an integration's life.
var leads = map[lifecycle.Action][]lifecycle.Action{
	lifecycle.ActionUnknown:         {lifecycle.IntegrationCreated},
	lifecycle.IntegrationCreated:    {lifecycle.IntegrationEnabled, lifecycle.IntegrationDisabled, lifecycle.IntegrationCanceled, lifecycle.IntegrationDeleted},
	lifecycle.IntegrationEnabled:    {lifecycle.IntegrationDisabled, lifecycle.IntegrationCanceled, lifecycle.IntegrationDeleted},
	lifecycle.IntegrationDisabled:   {lifecycle.IntegrationEnabled, lifecycle.IntegrationCanceled, lifecycle.IntegrationDeleted},
	lifecycle.IntegrationCanceled:   {lifecycle.IntegrationReinstated, lifecycle.IntegrationDeleted},
	lifecycle.IntegrationReinstated: {lifecycle.IntegrationEnabled, lifecycle.IntegrationDisabled, lifecycle.IntegrationCanceled, lifecycle.IntegrationDeleted},
}

// strictChain takes what may follow, and drops the rest.
func strictChain(h *naiveHotel, a lifecycle.Action, on bool) {
	if slices.Contains(leads[h.state], a) {
		lastEventWins(h, a, on)
	}
}

// parkingChain takes what may follow, and keeps the rest until it may.
func parkingChain(h *naiveHotel, a lifecycle.Action, on bool) {
	if !slices.Contains(leads[h.state], a) {
		if a != h.state {
			h.parked = append(h.parked, a)
		}
		return
	}
	lastEventWins(h, a, on)
	for {
		i := slices.IndexFunc(h.parked, func(a lifecycle.Action) bool { return slices.Contains(leads[h.state], a) })
		if i < 0 {
			return
		}
		next := h.parked[i]
		h.parked = slices.Delete(h.parked, i, i+1)
		lastEventWins(h, next, true)
	}
}

// tableWorlds are the worlds in which receivers are compared.
var tableWorlds = []struct {
	name   string
	faults mewstest.Faults
}{
	{"in order, nothing lost", mewstest.Faults{}},
	{"reordered, a tenth twice", mewstest.Faults{Reorder: 1, Duplicate: 0.1}},
	{"flaky", mewstest.Flaky()},
	{"flaky, with outages", both()},
}

// TestTable compares receivers in the same worlds: what is believed where by one that believes the
// last event, by a chain of states, by a chain that parks what comes early, and by Keyrack without
// and with a prober. docs/guarantees.md and the README have its figures: KEYRACK_LONG=1 takes
// 100 days and 4 seeds.
func TestTable(t *testing.T) {
	days, seeds := 10, 1
	if long() {
		days, seeds = 100, 4
	}
	for i, world := range tableWorlds {
		if testkit.Race && i > 0 {
			break // the detector needs to see one
		}
		var sums [5]mewstest.Account
		names := [5]string{"last event wins", "strict chain", "chain with parking", "Keyrack without a prober", "Keyrack with a prober"}
		for seed := range seeds {
			for _, asks := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, 40, 1, asks, mewstest.Options{Seed: uint64(seed + 1), Faults: world.faults})
					defer f.close()
					time.Sleep(24*time.Hour + 59*time.Minute)
					own := func(token string) lifecycle.Status {
						if rack := f.rack(0); rack != nil {
							return rack.Check(token).Status
						}
						return lifecycle.Unknown
					}
					watches := map[int]*mewstest.Watch{}
					if asks {
						watches[4] = f.mews.Watch(own)
					} else {
						watches[3] = f.mews.Watch(own)
						for n := range 3 {
							watches[n] = f.mews.Watch(f.naive[n].status)
						}
					}
					f.mews.Live(mewstest.Rates{Burst: 0.3, Weights: mewstest.Weights{Toggle: 12, Cancel: 4, Rotate: 3}})
					time.Sleep(time.Duration(days) * 24 * time.Hour)
					for n, w := range watches {
						w.Stop()
						for stance, d := range w.Account().Days {
							sums[n].Days[stance] += d
						}
					}
				})
			}
		}
		for n, sum := range sums {
			t.Logf("| %s | %s | %.4f %% | %.4f %% | %.4f %% |", world.name, names[n],
				100*sum.Share(mewstest.Wrong), 100*sum.Share(mewstest.Denied), 100*sum.Share(mewstest.Undecided))
		}
		wrong := func(n int) float64 { return sums[n].Share(mewstest.Wrong) + sums[n].Share(mewstest.Denied) }
		for n := range 3 {
			if wrong(4) > wrong(n) {
				t.Errorf("%s: Keyrack with a prober is wrong for %.4f %% of the time, and %q for %.4f %%", world.name, 100*wrong(4), names[n], 100*wrong(n))
			}
		}
		if unknown := sums[4].Share(mewstest.Undecided); unknown > 0.01 {
			t.Errorf("%s: with a prober, Unknown for %.4f %% of the time", world.name, 100*unknown)
		}
	}
}
