package mewstest

import (
	"fmt"
	"iter"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Ask returns what the receiver believes about a token; with a Rack, that is
// Check(token).Status. It must be safe for concurrent use.
type Ask func(token string) lifecycle.Status

// Stance compares what the receiver believes about an integration with the truth. If
// tokens differ, the greatest stance counts.
type Stance uint8

const (
	// Right: the current token is Valid if it works and Invalid if it does not, and no
	// former token that does not work is Valid.
	Right Stance = iota
	// Undecided: the current token is Unknown.
	Undecided
	// Denied: the current token works and is called Invalid.
	Denied
	// Wrong: a token that does not work is called Valid.
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

// Difference is a token about which the receiver is mistaken or undecided.
type Difference struct {
	Integration *Integration
	Former      int // how many tokens came after it; 0 for the current one
	Works       bool
	Said        lifecycle.Status
	Stance      Stance
}

// String describes the difference in one line, without the token.
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

// Differences compares what the receiver believes about all tokens with the truth at
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

// compare asks about one token. For a former token that does not work, Unknown is as
// good as Invalid. A receiver need not know that a former token still works.
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
