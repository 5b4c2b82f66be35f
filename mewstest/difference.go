package mewstest

import (
	"fmt"
	"iter"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Ask says what the receiver believes of a token: with a Rack, its
// Check(token).Status. It must be safe for concurrent use.
type Ask func(token string) lifecycle.Status

// Stance is how what the receiver believes of an integration stands to the truth.
// Of several tokens, the greatest counts.
type Stance uint8

const (
	// Right: the current token is Valid where it works and Invalid where it does
	// not, and no former token is Valid that does not work.
	Right Stance = iota
	// Undecided: the current token is Unknown.
	Undecided
	// Denied: the current token works, and is called Invalid.
	Denied
	// Wrong: a token is called Valid that does not work.
	Wrong
	numStances
)

var stanceNames = [numStances]string{"right", "undecided", "denied", "wrong"}

// String returns the stance's name in lower case.
func (s Stance) String() string {
	if s < numStances {
		return stanceNames[s]
	}
	return fmt.Sprintf("Stance(%d)", uint8(s))
}

// Difference is a token of which the receiver believes something other than the
// truth.
type Difference struct {
	Integration *Integration
	Former      int // how many tokens came after it; 0 is the current one
	Works       bool
	Said        lifecycle.Status
	Stance      Stance
}

// String tells the difference in a line, without the token.
func (d Difference) String() string {
	which, truth := "the current token", "does not work"
	if d.Former > 0 {
		which = fmt.Sprintf("a former token (%d before the current one)", d.Former)
	}
	if d.Works {
		truth = "works"
	}
	return fmt.Sprintf("%s: %s %s, and is called %s: %s", d.Integration, which, truth, d.Said, d.Stance)
}

// Differences compares what the receiver believes of all tokens with the truth, at
// this moment.
func (w *World) Differences(ask Ask) iter.Seq[Difference] {
	return func(yield func(Difference) bool) {
		for _, i := range w.all() {
			keys, n, _ := i.keyStates()
			for _, k := range keys[:n] {
				if d, differs := i.compare(k, ask); differs && !yield(d) {
					return
				}
			}
		}
	}
}

// compare asks about one token. Of a former one that does not work, Unknown is as
// good as Invalid; and that one works still is nothing that a receiver must know.
func (i *Integration) compare(k keyState, ask Ask) (d Difference, differs bool) {
	d = Difference{Integration: i, Former: k.former, Works: k.works, Said: ask(k.token.Reveal())}
	switch {
	case d.Said == lifecycle.Valid && !k.works:
		d.Stance = Wrong
	case k.former > 0:
	case d.Said == lifecycle.Invalid && k.works:
		d.Stance = Denied
	case d.Said == lifecycle.Unknown:
		d.Stance = Undecided
	}
	return d, d.Stance != Right
}

// stance compares all tokens of one integration.
func (i *Integration) stance(ask Ask) (worst Difference, deleted bool) {
	keys, n, deleted := i.keyStates()
	worst.Integration = i
	for _, k := range keys[:n] {
		if d, _ := i.compare(k, ask); d.Stance > worst.Stance {
			worst = d
		}
	}
	return worst, deleted
}
