package probe

import "time"

// State is where an integration stands in the schedule of this instance. On an
// instance that does not lead it is zero.
type State struct {
	Asked    time.Time // when the latest request began; zero if none since the start
	Attempts int       // in a row that settled nothing
	InFlight bool
	Due      time.Time // of the next; zero where none is planned
}

// State returns where an integration stands.
func (s *Schedule) State(id string) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.queue.waits[id]
	if w == nil {
		return State{}
	}
	state := State{Asked: w.asked, Attempts: w.attempts, InFlight: w.inFlight}
	if w.place >= 0 {
		state.Due = w.due
		if now := s.Owner.Now(); w.due.Before(now) {
			state.Due = now // it waits for its turn
		}
	}
	return state
}
