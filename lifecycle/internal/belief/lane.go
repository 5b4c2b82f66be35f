package belief

import "math/bits"

// Event is one of the four actions that toggle a flag. Its order is that of the
// counts in an entry of the front.
type Event uint8

const (
	Enabled Event = iota
	Disabled
	Canceled
	Reinstated
	numEvents
)

// ofCanceled reports whether the event is of the pair Canceled and Reinstated.
func (e Event) ofCanceled() bool { return e >= Canceled }

// present is how an integration may be now: a set of the bits below.
type present = uint8

const (
	enabled     present = 1 << iota // the enabled flag, or first switch
	second                          // the second switch; always on where there is none
	canceled                        // canceled, and not reinstated since
	before                          // enabled when it was canceled, where that is restored
	bornEnabled                     // IntegrationCreated said or will say enabled
)

// numPresents counts the presents, numUnborn those without the last bit, which
// nothing changes.
const (
	numPresents = 32
	numUnborn   = 16
)

// set is a set of presents: bit p is set where present p is possible.
type set uint32

func only(p present) set { return 1 << p }

// ofBorn are all presents of an integration that was born enabled.
const ofBorn set = (1<<numPresents - 1) &^ (1<<numUnborn - 1)

// lanes are the readings of what Mews's documents leave open: twelve with one
// switch, and the same twelve with two.
const (
	numReinstating = 3 // leaves the flag, restores it, sets it
	numReadings    = 2 * 2 * numReinstating
	numLanes       = 2 * numReadings
)

const (
	leaves = iota
	restores
	sets
)

// lane is one reading. The zero lane is the plainest.
type lane struct {
	reinstating int
	silent      bool // of toggles while canceled nothing is sent
	clears      bool // canceling clears the enabled flag
	two         bool // there is a second switch
}

func laneOf(i int) lane {
	return lane{i % numReinstating, i/3%2 == 1, i/6%2 == 1, i >= numReadings}
}

// in reports whether the lane is one of those that a policy allows.
func (l lane) in(r Reinstating) bool {
	switch r {
	case Keeps:
		return l.reinstating == leaves && !l.clears && !l.silent
	case Sets:
		return l.reinstating == sets
	}
	return true
}

// after returns the presents that an event leads to from one present: none where
// it would change nothing, two where either switch may be meant.
func (l lane) after(e Event, p present) (out set) {
	switch e {
	case Enabled, Disabled:
		if l.silent && p&canceled != 0 {
			return 0
		}
		for _, s := range [...]present{enabled, second} {
			if s == second && !l.two {
				continue
			}
			if on := p&s != 0; on != (e == Enabled) {
				out |= only(p ^ s)
			}
		}
	case Canceled:
		if p&canceled != 0 {
			return 0
		}
		next := p | canceled
		if l.reinstating == restores && p&enabled != 0 {
			next |= before
		}
		if l.clears {
			next &^= enabled
		}
		out = only(next)
		if l.silent {
			out = l.toggled(out)
		}
	case Reinstated:
		if p&canceled == 0 {
			return 0
		}
		next := p &^ (canceled | before)
		switch {
		case l.reinstating == sets, l.reinstating == restores && p&before != 0:
			next |= enabled
		case l.reinstating == restores:
			next &^= enabled
		}
		out = only(next)
	}
	return out
}

// toggled returns the set with every switch in every position.
func (l lane) toggled(s set) set {
	s |= s&with[enabled]>>enabled | s&^with[enabled]<<enabled
	if l.two {
		s |= s&with[second]>>second | s&^with[second]<<second
	}
	return s
}

// anything returns the set with both flags anything, born as it was.
func (l lane) anything(s set) (out set) {
	every := l.toggled(only(enabled|second)) | l.toggled(only(enabled|second|canceled))
	if l.reinstating == restores {
		every |= l.toggled(only(enabled | second | canceled | before))
	}
	if s&^ofBorn != 0 {
		out |= every
	}
	if s&ofBorn != 0 {
		out |= every << numUnborn
	}
	return out
}

// with[b] are the presents with the bit b, for the bits that toggled needs.
var with = func() (w [second + 1]set) {
	for p := range present(numPresents) {
		for _, b := range [...]present{enabled, second} {
			if p&b != 0 {
				w[b] |= only(p)
			}
		}
	}
	return w
}()

// steps is what lane.after says, for all lanes, without the last bit.
var steps = func() (all [numLanes][numEvents][numUnborn]uint16) {
	for i := range all {
		for e := range numEvents {
			for p := range present(numUnborn) {
				all[i][e][p] = uint16(laneOf(i).after(e, p))
			}
		}
	}
	return all
}()

// step returns the presents that an event leads to from any of the set.
func (s set) step(lane int, e Event) (out set) {
	table := &steps[lane][e]
	for rest := uint32(s); rest != 0; rest &= rest - 1 {
		p := bits.TrailingZeros32(rest)
		out |= set(table[p%numUnborn]) << (p &^ (numUnborn - 1))
	}
	return out
}

// missed returns the presents that one event without an arrival leads to, of the
// enabled pair or of the other.
func (s set) missed(lane int, ofCanceled bool) set {
	if ofCanceled {
		return s.step(lane, Canceled) | s.step(lane, Reinstated)
	}
	return s.step(lane, Enabled) | s.step(lane, Disabled)
}

// live are the presents in which a token works.
var live = func() (s set) {
	for p := range present(numPresents) {
		if presentsOf(p) == Live {
			s |= only(p)
		}
	}
	return s
}()
