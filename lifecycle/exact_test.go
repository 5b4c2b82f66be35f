package lifecycle_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// This file judges whole records by brute force: every history happens on a clock of
// quarter hours, every delivery takes up to a horizon and may be repeated, and for all
// that can arrive it is noted which token may work. A verdict must be exactly as certain
// as that. Which of two tokens is the newer, their names do not tell.

const (
	quarter  = 15 * time.Minute
	lateness = int(horizon / quarter)
	toggling = 5 // kinds of deliveries between IntegrationCreated and the rotations
)

// heard counts what arrived: for each kind of delivery two bits for each quarter hour.
// The last kinds are the rotations that brought token 1 and token 2.
type heard [toggling + maxRotations]uint16

func (h heard) with(kind, tick int) heard {
	h[kind] += 1 << (2 * tick)
	return h
}

func (h heard) count(kind, tick int) int { return int(h[kind] >> (2 * tick) & 3) }

// each calls f for what arrived, in order.
func (h heard) each(f func(s sent, tick int)) {
	for tick := range 8 {
		for kind := range h {
			for range h.count(kind, tick) {
				if n := kind - toggling; n >= 0 {
					f(sent{action: IntegrationApiKeyCreated, key: n + 1}, tick)
				} else {
					f(sent{action: changes[kind]}, tick)
				}
			}
		}
	}
}

func (h heard) String() (s string) {
	h.each(func(d sent, tick int) { s += fmt.Sprintf(" %v at %v", d, quarter*time.Duration(tick)) })
	return s
}

// outcomes are bits: for each token whether it may work and whether it may not.
type outcomes [1 + maxRotations]uint8

const (
	mayWork = 1 << iota
	mayNot
)

// stage plays the histories of one reading.
type stage struct {
	reading
	ticks  int
	scenes map[scene]*outcomes
}

// scene is what arrived after an IntegrationCreated.
type scene struct {
	enabled bool
	heard
}

// plays lets happen what can from a tick on, with so many deliveries left to arrive.
func (g *stage) plays(w truth, s scene, tick, left int) {
	g.ends(w, s)
	if tick == g.ticks {
		return
	}
	g.plays(w, s, tick+1, left)
	if left == 0 {
		return
	}
	for _, w := range g.quietly(w) {
		for _, a := range g.changes() {
			switch {
			case !w.can(a) && a != IntegrationApiKeyCreated || w.deleted || !w.sends(a, g.reading):
			case a == IntegrationApiKeyCreated:
				for n := 1; n <= maxRotations; n++ {
					if s.heard[toggling-1+n] == 0 {
						next := w
						next.key = n
						g.sends(next, s, tick, left, toggling-1+n, 0, false)
					}
				}
			default:
				g.sends(w.after(a, g.reading), s, tick, left, int(told(a)-changes[0]), 0, false)
			}
		}
	}
}

// sends lets a delivery arrive, and copies of it no earlier.
func (g *stage) sends(w truth, s scene, tick, left, kind, from int, sent bool) {
	if sent {
		g.plays(w, s, tick, left)
	}
	for d := from; d <= lateness && left > 0; d++ {
		next := s
		next.heard = s.with(kind, tick+d)
		g.sends(w, next, tick, left-1, kind, d, true)
	}
}

// quietly returns what may have become of an integration without a word.
func (g *stage) quietly(w truth) []truth {
	all := []truth{w}
	if g.silent && w.canceled && !w.deleted {
		flipped := w
		flipped.enabled = !w.enabled
		all = append(all, flipped)
	}
	if g.two && g.silent && w.canceled && !w.deleted {
		for _, x := range all {
			x.off = !x.off
			all = append(all, x)
		}
	}
	return all
}

func (g *stage) ends(w truth, s scene) {
	o := g.scenes[s]
	if o == nil {
		o = new(outcomes)
		g.scenes[s] = o
	}
	for _, w := range g.quietly(w) {
		for n := range o {
			if w.works(n) {
				o[n] |= mayWork
			} else {
				o[n] |= mayNot
			}
		}
	}
}

// TestExact: a verdict is Unknown exactly where two histories that fit what has arrived
// disagree, and right everywhere else. With KEYRACK_LONG=1 four deliveries arrive after
// IntegrationCreated, copies included, instead of three.
func TestExact(t *testing.T) {
	most := 3
	switch {
	case testing.Short() || testkit.Race:
		most = 2
	case os.Getenv("KEYRACK_LONG") != "":
		most = 4
	}
	for _, policy := range policies {
		most := most - policy.Levels/2 // with two switches there is more that can happen
		scenes := make(map[scene]*outcomes)
		for _, r := range readings() {
			if !r.allowed(policy) {
				continue
			}
			g := stage{reading: r, ticks: 5, scenes: scenes}
			for _, enabled := range []bool{true, false} {
				w, _ := birth(enabled, true)
				g.plays(w, scene{enabled: enabled}, 0, most)
			}
		}
		answers, unknown, wrong, avoidable := 0, 0, 0, 0
		for s, o := range scenes {
			r := s.record()
			for n := range o {
				if _, known := r.Key(token(n)); !known {
					continue
				}
				v := r.Verdict(token(n), &policy, minute(1000))
				want := map[uint8]Status{mayWork: Valid, mayNot: Invalid, mayWork | mayNot: Unknown}[o[n]]
				answers++
				if want == Unknown {
					unknown++
				}
				switch v.Status {
				case want:
					continue
				case Unknown:
					avoidable++
				default:
					wrong++
				}
				if wrong+avoidable <= 10 {
					t.Errorf("created %v,%v: token %d is %v (%v), not %v", s.enabled, s.heard, n, v.Status, v.Reason, want)
				}
			}
		}
		t.Logf("levels %d, reinstating %d: %d scenes, %d answers, %d of them unknown: %d wrong, %d avoidable",
			policy.Levels, policy.Reinstated, len(scenes), answers, unknown, wrong, avoidable)
		if answers < 100 || wrong+avoidable > 0 {
			t.Errorf("of %d answers %d are wrong, %d avoidable", answers, wrong, avoidable)
		}
	}
}

// record is what a receiver makes of the scene.
func (s scene) record() Record {
	_, birth := birth(s.enabled, true)
	r := fold(birth.arrives(minute(0)))
	s.each(func(d sent, tick int) { r = then(r, d.arrives(start.Add(quarter*time.Duration(tick)))) })
	return r
}
