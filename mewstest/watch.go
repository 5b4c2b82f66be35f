package mewstest

import (
	"fmt"
	"sync"
	"time"
)

// Watch compares what a receiver believes with the truth all the time: after every
// change, every delivery and every answer of the Connector API. At every tick it looks
// at all integrations, because evidence grows old by itself.
type Watch struct {
	world *World
	ask   Ask
	limit time.Duration // 0: none
	tell  func(Lapse)

	mu      sync.Mutex
	seen    []seen // by integration
	account Account
	ended   bool
}

// seen is how an integration stood at the last look.
type seen struct {
	at     time.Time // zero: never
	stance Stance
	over   bool      // deleted, and known to be
	since  time.Time // when the stance began
	told   bool      // that it is Wrong for too long
}

// Lapse is an integration with a token that was called Valid for too long while it did
// not work.
type Lapse struct {
	Difference
	Since time.Duration // after the World was made
	For   time.Duration // so far
}

// Account sums up a Watch, in days over all integrations. Time after a deletion that
// the receiver knows about does not count.
type Account struct {
	Days    [4]float64       // by Stance
	Longest [4]time.Duration // for which one integration stood so in one go, by Stance
}

// Total returns the number of integration-days that were watched.
func (a Account) Total() float64 {
	return a.Days[Right] + a.Days[Undecided] + a.Days[Denied] + a.Days[Wrong]
}

// Share returns the part of the time that was spent in a stance, from 0 to 1.
func (a Account) Share(s Stance) float64 {
	if total := a.Total(); total > 0 {
		return a.Days[s] / total
	}
	return 0
}

// String returns the account in one line.
func (a Account) String() string {
	return fmt.Sprintf("%.1f integration-days: right %.4f %%, undecided %.4f %%, denied %.4f %%, wrong %.4f %% (%s at most)",
		a.Total(), 100*a.Share(Right), 100*a.Share(Undecided), 100*a.Share(Denied), 100*a.Share(Wrong), a.Longest[Wrong])
}

// Watch begins a watch, which ends by Watch.Stop.
func (w *World) Watch(ask Ask) *Watch { return w.watch(ask, 0, nil) }

func (w *World) watch(ask Ask, limit time.Duration, tell func(Lapse)) *Watch {
	watch := &Watch{world: w, ask: ask, limit: limit, tell: tell}
	w.mu.Lock()
	w.watches = append(w.watches[:len(w.watches):len(w.watches)], watch)
	w.mu.Unlock()
	watch.tick()
	return watch
}

// Stop ends the watch. It may be called more than once.
func (v *Watch) Stop() {
	v.Account()
	v.mu.Lock()
	v.ended = true
	v.mu.Unlock()
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	var others []*Watch
	for _, other := range w.watches {
		if other != v {
			others = append(others, other)
		}
	}
	w.watches = others
}

// Account returns the sums up to now, or up to Stop.
func (v *Watch) Account() Account {
	for _, i := range v.world.all() {
		v.sample(i)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.account
}

// tick looks at all integrations at intervals.
func (v *Watch) tick() {
	v.mu.Lock()
	ended := v.ended
	v.mu.Unlock()
	if ended {
		return
	}
	for _, i := range v.world.all() {
		v.sample(i)
	}
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	v.world.after(v.world.options.tick(), v.tick)
}

// sample looks at one integration. What was seen last is assumed to have held until
// now.
func (v *Watch) sample(i *Integration) {
	now := v.world.now()
	d, deleted := i.stance(v.ask) // not under the lock, because it may take time
	v.mu.Lock()
	for len(v.seen) < i.number {
		v.seen = append(v.seen, seen{})
	}
	s := &v.seen[i.number-1]
	if v.ended || now.Before(s.at) {
		v.mu.Unlock()
		return
	}
	if !s.at.IsZero() && !s.over {
		v.account.Days[s.stance] += now.Sub(s.at).Hours() / 24
		v.account.Longest[s.stance] = max(v.account.Longest[s.stance], now.Sub(s.since))
	}
	if d.Stance != s.stance || s.at.IsZero() {
		s.since, s.told = now, false
	}
	begins := d.Stance == Wrong && s.since.Equal(now)
	s.at, s.stance, s.over = now, d.Stance, deleted && d.Stance == Right
	var lapse *Lapse
	if lasts := now.Sub(s.since); v.limit > 0 && d.Stance == Wrong && lasts > v.limit && !s.told {
		s.told = true
		lapse = &Lapse{Difference: d, Since: s.since.Sub(v.world.began), For: lasts}
	}
	v.mu.Unlock()
	if begins && v.limit > 0 {
		v.world.mu.Lock()
		v.world.after(v.limit+1, func() { v.sample(i) })
		v.world.mu.Unlock()
	}
	if lapse != nil {
		v.tell(*lapse)
	}
}
