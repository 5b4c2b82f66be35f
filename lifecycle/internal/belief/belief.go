package belief

// State is what is known of one integration's two flags. The zero State is that
// nothing is. It is a value: its methods return another one and never change it.
// Equal knowledge gives equal States.
//
// Instants and horizons are in microseconds. An arrival that seems to precede one
// that was taken in before counts as arriving with it: a clock was set back.
type State struct {
	packed string
}

// Births says what IntegrationCreated said of IsEnabled. The zero value is nothing
// that can be.
type Births uint8

const (
	BornDisabled Births = 1 << iota
	BornEnabled
	// BornEither: it did not say.
	BornEither = BornDisabled | BornEnabled
)

// Created takes in an IntegrationCreated, or what stands in for it. It is the
// oldest event, whenever it arrives; only the first one counts.
func (s State) Created(b Births, at, horizon int64) (State, Answers) {
	h := s.history()
	h.create(b, at, horizon, true)
	return h.state(), h.answers(horizon)
}

// Begun takes in how somebody says that the integration began, in place of an
// IntegrationCreated. What came long before it stands.
func (s State) Begun(b Births, at, horizon int64) (State, Answers) {
	h := s.history()
	h.create(b, at, horizon, false)
	return h.state(), h.answers(horizon)
}

// Known returns the State of an integration whose arrivals were not kept. It takes what
// is possible if it was born disabled and if it was born enabled, and the latest
// arrivals of the two pairs: what arrives within a horizon after them leaves its pair
// open.
func Known(created bool, disabled, enabled Presents, enabledAt, canceledAt int64) (State, Answers) {
	h := begun(0)
	h.created, h.storm = created, [2]int64{enabledAt, canceledAt}
	for i := range h.front[0].lanes {
		every := laneOf(i).anything(ofBorn | ^ofBorn)
		h.front[0].lanes[i] = every & (showing(disabled)&^ofBorn | showing(enabled)&ofBorn)
	}
	return h.state(), h.answers(0)
}

// Arrived takes in an arrival of one of the four actions.
func (s State) Arrived(e Event, at, horizon int64) (State, Answers) {
	h := s.history()
	h.arrive(e, at, horizon)
	return h.state(), h.answers(horizon)
}

// Worked takes in that a token worked when a request began. Everything that has
// been taken in must have arrived before that.
func (s State) Worked(began, horizon int64) (State, Answers) {
	h := s.history()
	h.sight(began, horizon)
	return h.state(), h.answers(horizon)
}

// Doubted takes in that the enabled flag may be anything, which ends with an
// arrival of its pair more than a horizon later, or with a token that works.
func (s State) Doubted(at, horizon int64) (State, Answers) {
	h := s.history()
	h.flood(0, max(at, h.latest()))
	return h.state(), h.answers(horizon)
}

// history unpacks a State that was made in this package or passed UnmarshalText.
func (s State) history() *history {
	if s.packed == "" {
		return unborn()
	}
	h, ok := unpack(s.packed)
	if !ok {
		panic("belief: a State that was never checked")
	}
	return h
}

func (h *history) state() State { return State{string(h.pack(make([]byte, 0, 96)))} }

// Equal reports whether two States say the same.
func (s State) Equal(other State) bool { return s == other }

// IsZero reports whether nothing is known.
func (s State) IsZero() bool { return s == State{} }
