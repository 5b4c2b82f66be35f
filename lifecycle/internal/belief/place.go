package belief

import "sync"

// lanes is a set of presents for each lane.
type lanes [numLanes]set

// or adds the members of b.
func (a *lanes) or(b *lanes) {
	for i := range a {
		a[i] |= b[i]
	}
}

func (a *lanes) empty() bool {
	var any set
	for i := range a {
		any |= a[i]
	}
	return any == 0
}

// numCounts is the number of counts of an entry: one for each action, and one for
// the sightings of a token that works.
const numCounts = int(numEvents) + 1

// counts says how many of each action's arrivals are placed, and how many sightings.
type counts [numCounts]uint8

// sighting is that a token was seen to work: an event that is not delivered.
type sighting struct {
	at int64
	// arrived are the counts of what had arrived: all of that had happened.
	arrived counts
}

// board is where kept arrivals are placed. Its squares are all counts that there
// can be, in an order in which every history moves ahead.
type board struct {
	times     [numEvents][]int64
	sightings []sighting
	horizon   int64
	stride    [numCounts]int
	squares   int
	// on holds what is possible on each square where what is missing weighs so much;
	// fewer and fewest, where it weighs one less and two less.
	on, fewer, fewest []lanes
}

var boards = sync.Pool{New: func() any { return new(board) }}

// newBoard lays out what is kept. Call free when it is no longer needed.
func newBoard(kept []item, horizon int64) *board {
	b := boards.Get().(*board)
	b.horizon = horizon
	b.sightings = b.sightings[:0]
	for e := range b.times {
		b.times[e] = b.times[e][:0]
	}
	var arrived counts
	for _, it := range kept {
		if it.what == works {
			b.sightings = append(b.sightings, sighting{it.at, arrived})
			continue
		}
		b.times[it.what] = append(b.times[it.what], it.at)
		arrived[it.what]++
	}
	b.squares = 1
	for i := range b.stride {
		b.stride[i] = b.squares
		if i < int(numEvents) {
			b.squares *= len(b.times[i]) + 1
		} else {
			b.squares *= len(b.sightings) + 1
		}
	}
	b.on, b.fewer, b.fewest = resize(b.on, b.squares), resize(b.fewer, b.squares), resize(b.fewest, b.squares)
	return b
}

func (b *board) free() { boards.Put(b) }

func resize(s []lanes, n int) []lanes {
	if cap(s) < n {
		return make([]lanes, n)
	}
	s = s[:n]
	clear(s)
	return s
}

func (b *board) square(c counts) (s int) {
	for i, n := range c {
		s += int(n) * b.stride[i]
	}
	return s
}

func (b *board) counts(square int) (c counts) {
	for i := numCounts - 1; i >= 0; i-- {
		c[i] = uint8(square / b.stride[i])
		square %= b.stride[i]
	}
	return c
}

// start puts the front on the board.
func (b *board) start(front []entry) {
	for i := range front {
		b.on[b.square(front[i].placed)].or(&front[i].lanes)
	}
}

// run moves every history ahead until it reaches an end, where it stays.
func (b *board) run(ended func(counts) bool) {
	for s := range b.on {
		if b.on[s].empty() {
			continue
		}
		if c := b.counts(s); !ended(c) {
			b.move(s, c)
		}
	}
}

// miss begins the next layer, in the lanes that have not come to an end: one more
// event has no arrival. A cancellation or a reinstatement weighs two, so
// that what is said of a flag is explained by what else was said of it, and not by a
// cancellation that cleared it.
func (b *board) miss(open uint32) {
	b.on, b.fewer, b.fewest = b.fewest, b.on, b.fewer
	for s := range b.on {
		for i := range numLanes {
			b.on[s][i] = 0
			if open>>i&1 == 1 {
				b.on[s][i] = b.fewer[s][i].missed(i, false) | b.fewest[s][i].missed(i, true)
			}
		}
	}
}

// move goes from one square to all that the next event may lead to.
func (b *board) move(square int, c counts) {
	from := &b.on[square]
	latest := int64(minTime)
	for e, times := range b.times {
		if n := c[e]; n > 0 {
			latest = max(latest, times[n-1])
		}
	}
	for e, times := range b.times {
		first := int(c[e])
		if first == len(times) || latest-b.horizon > times[first] {
			continue
		}
		var next lanes
		var any set
		for i := range from {
			if from[i] != 0 {
				next[i] = from[i].step(i, Event(e))
				any |= next[i]
			}
		}
		if any == 0 {
			continue
		}
		// It may have any number of copies, as long as they came within a horizon.
		for last := first; last < len(times) && times[last]-b.horizon <= times[first]; last++ {
			b.on[square+(last+1-first)*b.stride[e]].or(&next)
		}
	}
	if n := int(c[numEvents]); n < len(b.sightings) {
		seen := &b.sightings[n]
		if latest-b.horizon > seen.at {
			return
		}
		for e := range b.times {
			if c[e] < seen.arrived[e] {
				return
			}
		}
		to := &b.on[square+b.stride[numEvents]]
		for i := range from {
			to[i] |= from[i] & live
		}
	}
}
