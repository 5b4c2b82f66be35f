package belief

import (
	"math/bits"
	"strings"
)

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

// shown are the presents that show each of the four.
var shown = [...]set{showing(Live), showing(Off), showing(CanceledEnabled), showing(CanceledDisabled)}

func (s set) presents() (out Presents) {
	for i, those := range shown {
		if s&those != 0 {
			out |= 1 << i
		}
	}
	return out
}

// showing are the presents that show one of those.
func showing(p Presents) (s set) {
	for i := range present(numPresents) {
		if presentsOf(i)&p != 0 {
			s |= only(i)
		}
	}
	return s
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
	// Keeps: nothing. It is what the latest event set it to, before the cancellation or
	// since, and no event is missing.
	Keeps
	// Sets: it is set.
	Sets
	NumReinstating
)

// Canceling is what is known of what a cancellation does beside canceling. The zero
// value is nothing.
type Canceling uint8

const (
	// Untold: it may clear the enabled flag, and what toggles it until the
	// reinstatement may not be sent.
	Untold Canceling = iota
	// Told: it leaves the flag alone, and what toggles it is sent as ever.
	Told
	NumCanceling
)

// Answers holds what is possible, for every policy. Each set has at least one
// member, except for the zero value, which is no answer.
type Answers [NumLevels][NumReinstating][NumCanceling]Presents

const digits = "0123456789abcdef"

// each yields the answers in the order in which they are written.
func (a *Answers) each(yield func(*Presents)) {
	for l := range a {
		for r := range a[l] {
			for c := range a[l][r] {
				yield(&a[l][r][c])
			}
		}
	}
}

// AppendText appends the answers as hexadecimal digits.
func (a Answers) AppendText(b []byte) ([]byte, error) {
	a.each(func(p *Presents) { b = append(b, digits[*p&15]) })
	return b, nil
}

// MarshalText returns what AppendText appends.
func (a Answers) MarshalText() ([]byte, error) { return a.AppendText(nil) }

// UnmarshalText accepts what MarshalText writes.
func (a *Answers) UnmarshalText(text []byte) error {
	*a = Answers{}
	if len(text) != int(NumLevels)*int(NumReinstating)*int(NumCanceling) {
		return errPacked
	}
	var read Answers
	failed := false
	read.each(func(p *Presents) {
		i := strings.IndexByte(digits, text[0])
		failed = failed || i < 1
		*p, text = Presents(i), text[1:]
	})
	if failed {
		return errPacked
	}
	*a = read
	return nil
}

// groups are the lanes that a policy allows, a bit each.
var groups = func() (all [NumLevels][NumReinstating][NumCanceling]uint32) {
	for i := range numLanes {
		l, level := laneOf(i), One
		if l.two {
			level = Two
		}
		for r := range NumReinstating {
			for c := range NumCanceling {
				if l.in(r) && (c == Untold || !l.clears && !l.silent) {
					all[level][r][c] |= 1 << i
				}
			}
		}
	}
	return all
}()

// answer reads the answers off the end of each lane, and how many events it misses.
func answer(end *lanes, lost *[numLanes]uint8, two bool) (a Answers) {
	var show [numLanes]Presents
	for i := range end {
		show[i] = end[i].presents()
	}
	for r := range NumReinstating {
		for c := range NumCanceling {
			second, fewestTwo := fewest(groups[Two][r][c], &show, lost)
			first, fewestOne := fewest(groups[One][r][c], &show, lost)
			if two || fewestOne > fewestTwo {
				first = second
			}
			a[One][r][c], a[Two][r][c] = first, second
		}
	}
	return a
}

// fewest returns what those of some lanes show that miss the fewest events.
func fewest(some uint32, show *[numLanes]Presents, lost *[numLanes]uint8) (p Presents, least uint8) {
	least = 255
	for ; some != 0; some &= some - 1 {
		i := bits.TrailingZeros32(some)
		switch {
		case show[i] == 0 || lost[i] > least:
			continue
		case lost[i] < least:
			least, p = lost[i], 0
		}
		p |= show[i]
	}
	return p, least
}
