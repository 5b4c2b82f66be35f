package belief

import "math/bits"

// Presents is a set of what the two flags may be now.
type Presents uint8

const (
	Live             Presents = 1 << iota // enabled, and not canceled
	Off                                   // disabled, and not canceled
	CanceledEnabled                       // canceled, and enabled
	CanceledDisabled                      // canceled, and disabled
)

// presentsOf returns what one present shows.
func presentsOf(p present) Presents {
	i := 0
	if p&(enabled|second) != enabled|second {
		i++
	}
	if p&canceled != 0 {
		i += 2
	}
	return 1 << i
}

func (s set) presents() (out Presents) {
	for rest := uint32(s); rest != 0; rest &= rest - 1 {
		out |= presentsOf(present(bits.TrailingZeros32(rest)))
	}
	return out
}

// Levels is how many switches Mews has. The zero value is one.
type Levels uint8

const (
	One Levels = iota
	Two
	NumLevels
)

// Reinstating is what is known of what Mews does to the enabled flag when it
// reinstates. The zero value is nothing.
type Reinstating uint8

const (
	// Asks: nothing is known.
	Asks Reinstating = iota
	// Keeps: it is what it was before the cancellation, or what it was set to since.
	Keeps
	// Sets: it is set.
	Sets
	NumReinstating
)

// Answers holds what is possible, for every policy. Each set has at least one member.
type Answers [NumLevels][NumReinstating]Presents

// groups[l][r] are the lanes that a policy allows, a bit each.
var groups = func() (all [NumLevels][NumReinstating]uint32) {
	for i := range numLanes {
		for r := range NumReinstating {
			l := One
			if laneOf(i).two {
				l = Two
			}
			if laneOf(i).in(r) {
				all[l][r] |= 1 << i
			}
		}
	}
	return all
}()

// answer reads the answers off the end of each lane, and how many events it misses.
func answer(end *[numLanes]set, lost *[numLanes]uint8, two bool) (a Answers) {
	var fewest [NumLevels][NumReinstating]uint8
	for l := range NumLevels {
		for r := range NumReinstating {
			least := uint8(255)
			for rest := groups[l][r]; rest != 0; rest &= rest - 1 {
				i := bits.TrailingZeros32(rest)
				switch {
				case end[i] == 0 || lost[i] > least:
					continue
				case lost[i] < least:
					least, a[l][r] = lost[i], 0
				}
				a[l][r] |= end[i].presents()
			}
			fewest[l][r] = least
		}
	}
	for r := range NumReinstating {
		if two || fewest[One][r] > fewest[Two][r] {
			a[One][r] = a[Two][r]
		}
	}
	return a
}
