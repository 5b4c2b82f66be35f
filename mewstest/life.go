package mewstest

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Rates say how often hotels change by themselves.
type Rates struct {
	// Every is the mean time between two changes of one integration; the times are
	// those of a Poisson process. 0 means 20 days.
	Every time.Duration
	// Connect is the mean time between two new connections. 0 means no new ones.
	Connect time.Duration
	// Burst is the probability that a change is followed by another within BurstWithin,
	// as when somebody at the hotel tries things out.
	Burst float64
	// BurstWithin is the time between changes of one burst. Zero means 1 second to
	// 2 minutes.
	BurstWithin Spread
	// Weights say how frequent each change is among those that are possible. Only their
	// proportions matter.
	Weights Weights
	// Most ends life after that many changes, including new connections. 0 means that
	// only Calm ends it.
	Most int
}

// Weights say how frequent each change is among those that are possible. The
// numbers mean nothing but beside each other.
type Weights struct {
	Toggle     float64 // enable, disable
	Cancel     float64 // cancel, reinstate
	Rotate     float64 // a new key
	Delete     float64
	Mews       float64 // enable, disable in Mews
	Enterprise float64 // enable, disable the enterprise
}

// hotelWeights are those of hotels.
var hotelWeights = Weights{Toggle: 12, Cancel: 4, Rotate: 3, Delete: 1}

// life makes integrations change by themselves.
type life struct {
	world *World
	rates Rates
	left  int // changes; below 0: unlimited
	alive int // integrations, as far as is known
}

// Live lets all integrations, including later ones, change by themselves from now on,
// until Calm. It replaces an earlier Live.
func (w *World) Live(rates Rates) {
	if rates.Every <= 0 {
		rates.Every = 20 * 24 * time.Hour
	}
	if rates.Weights == (Weights{}) {
		rates.Weights = hotelWeights
	}
	rates.BurstWithin = rates.BurstWithin.or(Spread{time.Second, 2 * time.Minute})
	w.Calm()
	w.mu.Lock()
	defer w.mu.Unlock()
	l := &life{world: w, rates: rates, left: -1}
	if rates.Most > 0 {
		l.left = rates.Most
		w.await(1)
	}
	w.life = l
	for _, i := range w.integrations {
		l.begin(i)
	}
	if rates.Connect > 0 {
		l.arrive(fate(w.options.Seed, ofArrivals, 0, 0))
	}
}

// Calm ends what Live began. Changes that have happened are still reported.
func (w *World) Calm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.life != nil {
		w.life.end()
	}
}

// end ends this life. w.mu is held.
func (l *life) end() {
	l.world.life = nil
	if l.left >= 0 {
		l.world.await(-1)
	}
}

// spend counts a change. w.mu is held.
func (l *life) spend() {
	if l.left > 0 {
		if l.left--; l.left == 0 {
			l.end()
		}
	}
}

// begin starts the life of one integration. w.mu is held.
func (l *life) begin(i *Integration) {
	r := fate(l.world.options.Seed, ofLife, i.number, 0)
	l.alive++
	l.next(i, r, l.pause(r, l.rates.Every))
}

// pause draws the time to the next event of a Poisson process.
func (l *life) pause(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(r.ExpFloat64() * float64(mean))
}

// next plans an integration's next change. w.mu is held.
func (l *life) next(i *Integration, r *rand.Rand, in time.Duration) {
	l.world.after(in, func() { l.change(i, r) })
}

func (l *life) change(i *Integration, r *rand.Rand) {
	w := l.world
	w.mu.Lock()
	if w.life != l || i.truth.deleted {
		if l.alive--; w.life == l && l.alive == 0 && l.rates.Connect <= 0 {
			l.end()
		}
		w.mu.Unlock()
		return
	}
	a, enterprise := l.choose(i, r)
	bursts, within := chance(r, l.rates.Burst), l.rates.BurstWithin.draw(r)
	pause := l.pause(r, l.rates.Every)
	if bursts {
		pause = within
	}
	if !enterprise {
		i.doLocked(a)
	}
	l.next(i, r, pause)
	l.spend()
	off := i.enterprise.off
	w.mu.Unlock()
	switch {
	case !enterprise:
		w.notify(i)
	case off:
		i.enterprise.Enable()
	default:
		i.enterprise.Disable()
	}
}

// choose chooses among the acts that change something, or an act of the enterprise.
func (l *life) choose(i *Integration, r *rand.Rand) (chosen act, enterprise bool) {
	weights := [numActs]float64{
		enable: l.rates.Weights.Toggle, disable: l.rates.Weights.Toggle,
		cancel: l.rates.Weights.Cancel, reinstate: l.rates.Weights.Cancel,
		rotate: l.rates.Weights.Rotate, remove: l.rates.Weights.Delete,
		enableInMews: l.rates.Weights.Mews, disableInMews: l.rates.Weights.Mews,
	}
	sum := l.rates.Weights.Enterprise
	for a := range numActs {
		if _, _, changes := i.truth.after(a, &l.world.options.Readings); !changes {
			weights[a] = 0
		}
		sum += weights[a]
	}
	at := r.Float64() * sum
	for a := range numActs {
		if at -= weights[a]; at < 0 {
			return a, false
		}
	}
	return 0, true
}

// arrive plans the next new connection. w.mu is held.
func (l *life) arrive(r *rand.Rand) {
	w := l.world
	w.after(l.pause(r, l.rates.Connect), func() {
		w.mu.Lock()
		if w.life != l {
			w.mu.Unlock()
			return
		}
		i := w.connect(Connection{Hotel: fmt.Sprintf("Hotel %d", len(w.integrations)+1)})
		l.arrive(r)
		l.spend()
		w.mu.Unlock()
		w.notify(i)
	})
}
