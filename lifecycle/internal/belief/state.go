package belief

import "slices"

// works is an item that is no event: a token was seen to work.
const works = numEvents

// item is an arrival, or a sighting of a token that works.
type item struct {
	what Event
	at   int64
}

// entry is one entry of the front: closed histories that have used the same of
// what is kept.
type entry struct {
	placed counts
	lanes  lanes
}

const (
	minTime = -1 << 62

	// maxOfPair is how many arrivals of a pair are worked through; one more within
	// a horizon is a storm.
	maxOfPair = 8
	// maxSightings is how many sightings are kept: an older one rules out little.
	maxSightings = 3
	// maxFront is how many entries a front has; beyond it there is a storm too.
	maxFront = 16
	// maxLost bounds how far a lane can fall behind the others.
	maxLost = 15
)

// history is what a State packs.
type history struct {
	kept  []item // in the order of arrival
	front []entry
	lost  [numLanes]uint8 // how many events each lane misses, more than the best one
	// two: a second switch was seen, so that lanes with one are given up.
	two bool
	// created: IntegrationCreated has come, or what stands in for it.
	created bool
	// old: before that, the pair had arrivals that are closed by now.
	old [2]bool
	// storm is the latest arrival of a pair in a storm; 0 where there was none, or it
	// is over.
	storm [2]int64
}

func pairOf(e Event) int {
	if e.ofCanceled() {
		return 1
	}
	return 0
}

// unborn is the history of an unknown integration.
func unborn() *history { return begun(only(enabled|second|bornEnabled) | only(second)) }

func begun(s set) *history {
	h := &history{front: make([]entry, 1)}
	for i := range h.front[0].lanes {
		h.front[0].lanes[i] = s
	}
	return h
}

// latest is the latest arrival that is known of, or minTime.
func (h *history) latest() int64 {
	t := int64(minTime)
	if n := len(h.kept); n > 0 {
		t = h.kept[n-1].at
	}
	for _, s := range h.storm {
		if s != 0 {
			t = max(t, s)
		}
	}
	return t
}

// arrive takes in an arrival.
func (h *history) arrive(e Event, at, horizon int64) {
	at = max(at, h.latest()) // a clock was set back: nothing is known of the order
	h.close(at, horizon)
	pair := pairOf(e)
	n := 0
	for _, it := range h.kept {
		if it.what != works && pairOf(it.what) == pair {
			n++
		}
	}
	storm := [2]bool{h.stormy(0, at, horizon), h.stormy(1, at, horizon)}
	if storm[0] || storm[1] || n == maxOfPair || len(h.front) > maxFront {
		h.flood(pair, at)
		return
	}
	h.kept = append(h.kept, item{e, at})
}

// stormy reports whether an arrival comes too soon after a storm of a pair to tell
// anything.
func (h *history) stormy(pair int, at, horizon int64) bool {
	if h.storm[pair] == 0 {
		return false
	}
	if at-h.storm[pair] <= horizon {
		return true
	}
	h.storm[pair] = 0
	return false
}

// flood gives up what is kept: the pair may be anything from now on. A
// cancellation or a reinstatement among what is kept, or about to be, may have
// changed the enabled flag, so that it takes both pairs with it.
func (h *history) flood(pair int, at int64) {
	both := pair == 1
	for _, it := range h.kept {
		both = both || it.what != works && it.what.ofCanceled()
	}
	var all lanes
	for i := range h.front {
		all.or(&h.front[i].lanes)
	}
	for i := range all {
		if both {
			all[i] = laneOf(i).anything(all[i])
		} else {
			all[i] = laneOf(i).toggled(all[i])
		}
	}
	h.kept, h.front = nil, []entry{{lanes: all}}
	h.storm[0] = at
	if both {
		h.storm[1] = at
	}
}

// sight takes in that a token worked when a request began.
func (h *history) sight(at, horizon int64) {
	at = max(at, h.latest())
	h.close(at, horizon)
	if len(h.front) > maxFront {
		h.flood(0, at)
	}
	h.created = true
	n := len(h.kept)
	if n > 0 && h.kept[n-1].what == works {
		h.kept[n-1].at = at // nothing came between the two
		return
	}
	sightings := 0
	for _, it := range h.kept {
		if it.what == works {
			sightings++
		}
	}
	if sightings == maxSightings {
		h.dropSighting()
	}
	h.kept = append(h.kept, item{works, at})
}

// dropSighting forgets the oldest sighting that is kept. That rules out less, and
// nothing that was so.
func (h *history) dropSighting() {
	i := slices.IndexFunc(h.kept, func(it item) bool { return it.what == works })
	h.kept = slices.Delete(h.kept, i, i+1)
	for j := range h.front {
		if n := &h.front[j].placed[works]; *n > 0 {
			*n--
		}
	}
	h.merge()
}

// create takes in how the integration began, and gives up what was worked out for
// another beginning. Where that is an IntegrationCreated, the oldest event, what came
// more than a horizon before it leaves open what else was lost or late.
func (h *history) create(b Births, at, horizon int64, oldest bool) {
	if h.created {
		return
	}
	h.close(max(at, h.latest()), horizon)
	var births set
	if b&BornEnabled != 0 {
		births |= ofBorn
	}
	if b&BornDisabled != 0 {
		births |= ^ofBorn
	}
	var all lanes
	for i := range h.front {
		for j := range h.front[i].lanes {
			s := &h.front[i].lanes[j]
			if *s != 0 && oldest && h.old[1] {
				*s = laneOf(j).anything(births)
			} else if *s != 0 && oldest && h.old[0] {
				either := *s&^ofBorn | *s>>numUnborn
				*s = laneOf(j).toggled(either | either<<numUnborn)
			}
			*s &= births
			all[j] |= *s
		}
	}
	for j := range all { // nothing of the other beginning fits this one
		if h.lanes()>>j&1 == 1 && all[j] == 0 {
			h.front[0].lanes[j] = laneOf(j).anything(births)
		}
	}
	h.created, h.old = true, [2]bool{}
}

// close works through the histories of what arrived more than a horizon before at.
func (h *history) close(at, horizon int64) {
	n := 0
	var old counts
	for n < len(h.kept) && h.kept[n].at < at-horizon {
		old[h.kept[n].what]++
		n++
	}
	if n == 0 {
		return
	}
	ended := func(c counts) bool {
		for i := range c {
			if c[i] < old[i] {
				return false
			}
		}
		return true
	}
	b := newBoard(h.kept, horizon)
	h.front = h.place(b, ended)
	b.free()
	for i := range h.front {
		for j := range old {
			h.front[i].placed[j] -= old[j]
		}
	}
	h.kept = slices.Clone(h.kept[n:])
	if !h.created {
		h.old[0] = h.old[0] || old[Enabled]+old[Disabled] > 0
		h.old[1] = h.old[1] || old[Canceled]+old[Reinstated] > 0
	}
	h.settleLost()
}

// place moves the front to where the histories end, each lane with the fewest
// events missing, which it adds to those that the lane misses already.
func (h *history) place(b *board, ended func(counts) bool) (ends []entry) {
	b.start(h.front)
	open := h.lanes()
	for misses := uint8(0); open != 0; misses++ {
		if misses > 0 {
			b.miss(open)
		}
		b.run(ended)
		var done uint32
		for s := range b.on {
			if b.on[s].empty() {
				continue
			}
			c := b.counts(s)
			if !ended(c) {
				continue
			}
			e := entry{placed: c}
			found := false
			for i := range e.lanes {
				if open>>i&1 == 1 && b.on[s][i] != 0 {
					e.lanes[i] = b.on[s][i]
					done |= 1 << i
					found = true
				}
			}
			if found {
				ends = append(ends, e)
			}
		}
		for i := range h.lost {
			if done>>i&1 == 1 {
				h.lost[i] += misses
			}
		}
		open &^= done
	}
	h.front = ends
	h.merge()
	return h.front
}

// merge puts entries of the front together that have used the same.
func (h *history) merge() {
	slices.SortStableFunc(h.front, func(a, b entry) int { return slices.Compare(a.placed[:], b.placed[:]) })
	n := 0
	for i := range h.front {
		if n > 0 && h.front[n-1].placed == h.front[i].placed {
			h.front[n-1].lanes.or(&h.front[i].lanes)
			continue
		}
		h.front[n] = h.front[i]
		n++
	}
	h.front = h.front[:n]
}

// lanes are the lanes that are followed, a bit each.
func (h *history) lanes() uint32 {
	if h.two {
		return groups[Two][Asks][Untold]
	}
	return groups[One][Asks][Untold] | groups[Two][Asks][Untold]
}

// settleLost compares the lanes once histories are closed. Where even the best of
// them misses something, an event was lost for certain, and may have been before:
// then all begin anew, so that what it made them say of Mews is not believed for ever.
func (h *history) settleLost() {
	least := [2]uint8{maxLost, maxLost}
	for i := range h.lost {
		h.lost[i] = min(h.lost[i], maxLost)
		least[i/numReadings] = min(least[i/numReadings], h.lost[i])
	}
	if !h.two && least[0] > least[1] {
		h.two = true
		for i := range h.front {
			clear(h.front[i].lanes[:numReadings])
		}
	}
	switch {
	case !h.two && least[0] > 0, h.two && least[1] > 0:
		clear(h.lost[:])
	case h.two:
		clear(h.lost[:numReadings])
	}
}

// answers places all that is kept.
func (h *history) answers(horizon int64) Answers {
	b := newBoard(h.kept, horizon)
	defer b.free()
	last := b.counts(b.squares - 1)
	end := *h // place counts what is lost
	ends := end.place(b, func(c counts) bool { return c == last })
	return answer(&ends[0].lanes, &end.lost, h.two)
}
