package console

import "github.com/keyrack-dev/keyrack/lifecycle"

// Plain and Sentence are shown to tests.
var (
	Plain    = plain
	Sentence = sentence
)

// PlaceOf returns the middle of a state in the drawing of the machine.
func PlaceOf(s lifecycle.State) (x, y int) { return places[s].x, places[s].y }

// ArrowOf returns the path of the arrow from one state to another.
func ArrowOf(from, to lifecycle.State) string { return arrow(from, to).D }
