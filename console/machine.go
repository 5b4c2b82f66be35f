package console

import (
	"fmt"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// The drawing of the machine: the chain of an integration's life from top to bottom, what
// is switched on at the left and off at the right.
const (
	boxWidth, boxHeight = 122, 34
	leftX, rightX       = 82, 278 // the middle of the columns
	middleX             = 180
)

// place is where a state stands in the drawing, and what is written there.
type place struct {
	x, y int
	text string
}

var places = [...]place{
	lifecycle.Unseen:             {middleX, 24, "unseen"},
	lifecycle.CreatedEnabled:     {leftX, 102, "created"},
	lifecycle.CreatedDisabled:    {rightX, 102, "created"},
	lifecycle.Enabled:            {leftX, 168, "enabled"},
	lifecycle.Disabled:           {rightX, 168, "disabled"},
	lifecycle.CanceledEnabled:    {leftX, 234, "canceled"},
	lifecycle.CanceledDisabled:   {rightX, 234, "canceled"},
	lifecycle.ReinstatedEnabled:  {leftX, 300, "reinstated"},
	lifecycle.ReinstatedDisabled: {rightX, 300, "reinstated"},
	lifecycle.Deleted:            {middleX, 372, "deleted"},
}

// box is a state as it is drawn. Class is made of "live", "seen" and "now".
type box struct {
	X, Y, TextX, TextY int
	Text, Class        string
}

// move is an arrow of the path taken.
type move struct {
	D       string // the path of the arrow
	TX, TY  int    // of its number
	Label   string // when it was taken, as numbers
	Numbers []int
	From    string
	To      string
	Why     string
}

// machine is the drawing with a path through it.
type machine struct {
	Boxes []box
	Moves []move
	Now   string
}

// drawn is how many moves of a path are drawn; the latest are.
const drawn = 12

// machineOf draws the machine with the path that the changes took, which end in now.
func machineOf(changes []keyrack.Change, now lifecycle.State) machine {
	m := machine{Now: words(now.String())}
	var taken []*keyrack.Change // a history may be long, so none is copied
	for i := range changes {
		if c := &changes[i]; c.Decision.From != c.Decision.To {
			taken = append(taken, c)
		}
	}
	first := max(0, len(taken)-drawn)
	seen := map[lifecycle.State]bool{}
	at := map[[2]lifecycle.State]int{}
	for i, c := range taken[first:] {
		from, to := c.Decision.From, c.Decision.To
		if int(from) >= len(places) || int(to) >= len(places) {
			continue // of a newer version
		}
		seen[from], seen[to] = true, true
		edge := [2]lifecycle.State{from, to}
		k, there := at[edge]
		if !there {
			k = len(m.Moves)
			at[edge] = k
			m.Moves = append(m.Moves, arrow(from, to))
			m.Moves[k].Why = what(&c.Evidence)
		}
		m.Moves[k].Numbers = append(m.Moves[k].Numbers, first+i+1)
	}
	for i := range m.Moves {
		m.Moves[i].Label = ranges(m.Moves[i].Numbers)
	}
	for _, s := range lifecycle.States() {
		p := places[s]
		b := box{p.x - boxWidth/2, p.y - boxHeight/2, p.x, p.y + 5, p.text, "s"}
		switch s {
		case lifecycle.CreatedEnabled, lifecycle.Enabled, lifecycle.ReinstatedEnabled:
			b.Class += " live"
		}
		if seen[s] {
			b.Class += " seen"
		}
		if s == now {
			b.Class += " now"
		}
		m.Boxes = append(m.Boxes, b)
	}
	return m
}

// arrow returns the arrow from one state to another. Arrows of the same two states keep
// apart, because each bends to its own left.
func arrow(from, to lifecycle.State) move {
	a, b := places[from], places[to]
	m := move{From: words(from.String()), To: words(to.String())}
	switch {
	case a.y == b.y: // across
		dir := 1
		if b.x < a.x {
			dir = -1
		}
		x1, x2, y := a.x+dir*boxWidth/2, b.x-dir*boxWidth/2, a.y-dir*8
		m.D = fmt.Sprintf("M%d %dH%d", x1, y, x2-dir*2)
		m.TX, m.TY = middleX, y-dir*6
		if dir < 0 {
			m.TY = y + 13
		}
	case a.x == b.x && abs(a.y-b.y) <= 66: // to the next one
		dir := 1
		if b.y < a.y {
			dir = -1
		}
		x := a.x + dir*14
		m.D = fmt.Sprintf("M%d %dV%d", x, a.y+dir*boxHeight/2, b.y-dir*(boxHeight/2+2))
		m.TX, m.TY = x+dir*14, (a.y+b.y)/2+5
	case a.x == b.x && a.x != middleX: // past others, along the outside
		side := -1
		if a.x == rightX {
			side = 1
		}
		x1 := a.x + side*boxWidth/2
		out := x1 + side*(14+abs(a.y-b.y)/12)
		m.D = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, a.y, out, a.y, out, b.y, x1+side*2, b.y)
		m.TX, m.TY = x1+side*(8+abs(a.y-b.y)/24), (a.y+b.y)/2+5
	case a.x == b.x: // from the top to the bottom, or back
		dir := sign(b.y - a.y)
		m.D = fmt.Sprintf("M%d %dV%d", middleX, a.y+dir*boxHeight/2, b.y-dir*(boxHeight/2+2))
		m.TX, m.TY = middleX+12, (a.y+b.y)/2+20
	case b.x == middleX: // into the middle, and along it
		x, dir := middleX+sign(a.x-middleX)*10, sign(b.y-a.y)
		m.D = fmt.Sprintf("M%d %dQ%d %d %d %d", a.x+sign(x-a.x)*boxWidth/2, a.y+dir*6, x, a.y+dir*6, x, b.y-dir*(boxHeight/2+2))
		m.TX, m.TY = x+sign(x-middleX)*12, (a.y+b.y)/2+20
	case a.x == middleX && b.y > a.y && b.y-a.y > 100: // from the top past others, along the outside
		side := sign(b.x - a.x)
		edge := b.x + side*boxWidth/2
		out := edge + side*14
		m.D = fmt.Sprintf("M%d %dH%dQ%d %d %d %dV%dQ%d %d %d %d", a.x+side*boxWidth/2, a.y, out-side*16, out, a.y, out, a.y+16, b.y-12, out, b.y, edge+side*2, b.y)
		m.TX, m.TY = out, (a.y+b.y)/2
	case a.x == middleX && b.y < a.y: // from the bottom, along the middle
		x := middleX + sign(b.x-middleX)*18
		m.D = fmt.Sprintf("M%d %dQ%d %d %d %d", x, a.y-boxHeight/2, x, b.y-6, b.x+sign(x-b.x)*(boxWidth/2+2), b.y-6)
		m.TX, m.TY = x+sign(x-middleX)*12, (a.y+b.y)/2-20
	case a.x != middleX && abs(a.y-b.y) > 66: // to the other side past others, through the middle
		dir := sign(b.x - a.x)
		x1, x2 := a.x+dir*boxWidth/2, b.x-dir*(boxWidth/2+2)
		m.D = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, a.y, x1+dir*50, a.y, x2-dir*50, b.y, x2, b.y)
		m.TX, m.TY = middleX+dir*12, (a.y+b.y)/2-4
	default: // slanting
		side := 1
		if b.y < a.y {
			side = -1
		}
		x1, x2 := a.x+sign(b.x-a.x)*20, b.x-sign(b.x-a.x)*40 // clear of the headings
		y1, y2 := a.y+side*boxHeight/2, b.y-side*(boxHeight/2+2)
		m.D = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1, y1+side*18, x2, y2-side*18, x2, y2)
		m.TX, m.TY = (x1+x2)/2, (y1+y2)/2-4
	}
	return m
}

// ranges writes numbers that grow in little space: one or two of them, or the first and the
// last.
func ranges(numbers []int) string {
	switch n := len(numbers); n {
	case 1:
		return fmt.Sprint(numbers[0])
	case 2:
		return fmt.Sprintf("%d, %d", numbers[0], numbers[1])
	default:
		return fmt.Sprintf("%d … %d", numbers[0], numbers[n-1])
	}
}

func abs(n int) int { return max(n, -n) }

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}
