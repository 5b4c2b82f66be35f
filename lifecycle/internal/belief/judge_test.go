package belief_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	. "github.com/keyrack-dev/keyrack/lifecycle/internal/belief"
)

// This file judges the package by brute force, and shares nothing with it but the
// names of the events and the form of an answer. It lets every history happen on a
// clock that ticks a few times, sends every copy with every delay, and notes for
// each thing that can arrive all presents that it can stand for.

// delay is the longest, in ticks: the horizon.
const delay = 2

// mews is how Mews behaves.
type mews struct {
	two    bool
	clears bool // canceling clears the flag
	silent bool // of toggles while canceled nothing is sent
	// does is what reinstating does: 0 nothing, 1 restores the flag, 2 sets it.
	does int
}

func everyMews() (all []mews) {
	for _, two := range []bool{false, true} {
		for _, clears := range []bool{false, true} {
			for _, silent := range []bool{false, true} {
				for does := range 3 {
					all = append(all, mews{two, clears, silent, does})
				}
			}
		}
	}
	return all
}

// fits reports whether a policy expects such a Mews.
func (m mews) fits(l Levels, r Reinstating, c Canceling) bool {
	if m.two && l == One || c == Told && (m.clears || m.silent) {
		return false
	}
	switch r {
	case Keeps:
		return m.does == 0 && !m.clears && !m.silent
	case Sets:
		return m.does == 2
	}
	return true
}

// hotel is how an integration really is.
type hotel struct {
	flag, other      bool // switches
	canceled, wasSet bool
}

func (h hotel) shows() Presents {
	switch works := h.flag && h.other; {
	case h.canceled && works:
		return CanceledEnabled
	case h.canceled:
		return CanceledDisabled
	case works:
		return Live
	}
	return Off
}

// arrivals counts what arrived: four bits for each event at each tick.
type arrivals [2]uint64

func (a arrivals) with(e Event, tick int) arrivals {
	a[e/2] += 1 << (4 * (8*int(e%2) + tick))
	return a
}

func (a arrivals) count(e Event, tick int) int {
	return int(a[e/2] >> (4 * (8*int(e%2) + tick)) & 15)
}

func (a arrivals) String() (s string) {
	for tick := range 8 {
		for e := range Event(4) {
			for range a.count(e, tick) {
				s += fmt.Sprintf(" %c%d", "EDCR"[e], tick)
			}
		}
	}
	return s
}

// scene is all that a receiver sees: what arrived, and what the Connector API said.
type scene struct {
	arrivals
	born  Births
	asked int8 // the tick at whose end it was asked; -1 if it was not
}

// possible are the presents that a scene can stand for, by policy.
type possible = Answers

// theater plays all histories.
type theater struct {
	last   int // the latest tick at which something happens
	asks   bool
	scenes map[scene]*possible
	mews   mews
	fit    [NumLevels][NumReinstating][NumCanceling]bool
}

func play(ticks, most int, asks, untold bool) map[scene]*possible {
	t := &theater{last: ticks - 1, asks: asks, scenes: make(map[scene]*possible)}
	for _, m := range everyMews() {
		t.mews = m
		for l := range NumLevels {
			for r := range NumReinstating {
				for c := range NumCanceling {
					t.fit[l][r][c] = m.fits(l, r, c)
				}
			}
		}
		for _, on := range []bool{true, false} {
			births := []Births{BornDisabled}
			if on {
				births[0] = BornEnabled
			}
			if untold {
				births = append(births, BornEither)
			}
			for _, b := range births {
				t.happens(hotel{flag: on, other: true}, scene{born: b, asked: -1}, 0, most)
			}
		}
	}
	return t.scenes
}

// happens plays everything that can come from one tick on, with so many arrivals left.
func (t *theater) happens(h hotel, s scene, tick, left int) {
	t.end(h, s)
	if tick > t.last {
		return
	}
	if left > 0 {
		for e := range Event(4) {
			for _, quietly := range t.quietly(h) {
				for _, next := range t.mews.after(quietly, e) {
					t.sends(next, s, tick, left, e, 0, false)
				}
			}
		}
	}
	// Nothing more happens in this tick. At its end the API may be asked; not in the
	// last one, since what happens next would have no tick.
	t.happens(h, s, tick+1, left)
	if t.asks && s.asked < 0 && tick < t.last {
		for _, quietly := range t.quietly(h) {
			if quietly.shows() == Live {
				asked := s
				asked.asked = int8(tick)
				t.happens(quietly, asked, tick+1, left)
			}
		}
	}
}

// quietly returns what may have become of a hotel without a word.
func (t *theater) quietly(h hotel) []hotel {
	all := []hotel{h}
	if t.mews.silent && h.canceled {
		for _, flag := range []bool{true, false} {
			for _, other := range []bool{true, false} {
				if other == h.other && flag == h.flag || other != h.other && !t.mews.two {
					continue
				}
				x := h
				x.flag, x.other = flag, other
				all = append(all, x)
			}
		}
	}
	return all
}

// after returns what an event can make of a hotel; nothing where it would change
// nothing, or where nobody would be told.
func (m mews) after(h hotel, e Event) (all []hotel) {
	switch e {
	case Enabled, Disabled:
		if m.silent && h.canceled {
			return nil
		}
		on := e == Enabled
		if h.flag != on {
			x := h
			x.flag = on
			all = append(all, x)
		}
		if m.two && h.other != on {
			x := h
			x.other = on
			all = append(all, x)
		}
	case Canceled:
		if !h.canceled {
			h.wasSet, h.canceled = h.flag, true
			if m.clears {
				h.flag = false
			}
			all = append(all, h)
		}
	case Reinstated:
		if h.canceled {
			h.canceled = false
			h.flag = [3]bool{h.flag, h.wasSet, true}[m.does]
			all = append(all, h)
		}
	}
	return all
}

// sends lets the event arrive at least once, with delays that do not fall.
func (t *theater) sends(h hotel, s scene, tick, left int, e Event, from int, sent bool) {
	if sent {
		t.happens(h, s, tick, left)
	}
	for d := from; d <= delay && left > 0; d++ {
		next := s
		next.arrivals = s.with(e, tick+d)
		t.sends(h, next, tick, left-1, e, d, true)
	}
}

func (t *theater) end(h hotel, s scene) {
	p := t.scenes[s]
	if p == nil {
		p = new(possible)
		t.scenes[s] = p
	}
	for _, quietly := range t.quietly(h) {
		for l := range p {
			for r := range p[l] {
				for c := range p[l][r] {
					if t.fit[l][r][c] {
						p[l][r][c] |= quietly.shows()
					}
				}
			}
		}
	}
}

// infers lets the package see the scene.
func (s scene) infers(createdAt int) (st State, a Answers) {
	for tick := range 8 {
		if tick == createdAt {
			st, a = st.Created(s.born, int64(tick), delay)
		}
		for e := range Event(4) {
			for range s.count(e, tick) {
				st, a = st.Arrived(e, int64(tick), delay)
			}
		}
		if int(s.asked) == tick {
			st, a = st.Worked(int64(tick), delay)
		}
	}
	return st, a
}

// judge compares what is inferred with what is possible.
func judge(t *testing.T, scenes map[scene]*possible, createdAt int) {
	answers, unknown, wrong, avoidable, kept, front := 0, 0, 0, 0, 0, 0
	began := time.Now()
	for s, p := range scenes {
		st, a := s.infers(createdAt)
		for l := range p {
			for r := range p[l] {
				for c := range p[l][r] {
					got, want := a[l][r][c], p[l][r][c]
					switch {
					case want == 0:
						continue
					case want != Live && want&Live != 0:
						unknown++
					}
					answers++
					switch {
					case got == want:
						continue
					case got&^want == 0:
						wrong++
					default:
						avoidable++
					}
					if wrong+avoidable <= 10 {
						t.Errorf("born %b, asked %d,%v, policy %d %d %d: %04b, and possible is %04b", s.born, s.asked, s.arrivals, l, r, c, got, want)
					}
				}
			}
		}
		k, f := st.Size()
		kept, front = max(kept, k), max(front, f)
	}
	t.Logf("%d scenes, %d answers, %d of them unknown: %d wrong, %d avoidable; at most %d kept, %d entries in front; %v a scene",
		len(scenes), answers, unknown, wrong, avoidable, kept, front, time.Since(began)/time.Duration(len(scenes)))
	if wrong+avoidable > 0 || answers < 1_000 {
		t.Errorf("of %d answers %d are wrong and %d less certain than they could be", answers, wrong, avoidable)
	}
}

// TestJudged: of everything that at most four arrivals can tell, in every order and
// with any number of copies, the answer is what brute force finds: no present too
// many and none too few. KEYRACK_LONG=1 takes five arrivals.
func TestJudged(t *testing.T) {
	most := 4
	if os.Getenv("KEYRACK_LONG") != "" {
		most = 5
	}
	judge(t, play(5, most-fewer(), false, false), 0)
}

// fewer is by how many arrivals the worlds are smaller where time is short.
func fewer() int {
	if testing.Short() || testkit.Race {
		return 1
	}
	return 0
}

// TestJudgedAsked is TestJudged with a token that was seen to work at one moment.
func TestJudgedAsked(t *testing.T) {
	judge(t, play(4, 3-fewer(), true, false), 0)
}

// TestJudgedCreated is TestJudged with an IntegrationCreated that comes late, and may
// not say whether the integration is enabled.
func TestJudgedCreated(t *testing.T) {
	for at := range delay + 1 {
		judge(t, play(5, 3-fewer(), false, true), at)
	}
}
