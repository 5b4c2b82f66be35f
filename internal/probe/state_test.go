package probe

import (
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestState says when an integration was asked about, whether it is now, and when it
// will be; nothing of one that is not known.
func TestState(t *testing.T) {
	scheduling(t, func(s *stage) {
		if state := s.State("a"); state != (State{}) {
			t.Errorf("of an unknown integration: %+v", state)
		}
		s.run()
		s.create("a")
		s.Touch("a")
		settle(time.Millisecond)
		if state := s.State("a"); !state.Asked.Equal(epoch) || !state.InFlight || !state.Due.IsZero() {
			t.Errorf("while it is asked about: %+v", state)
		}
		settle(time.Second)
		state := s.State("a")
		if due := state.Due.Sub(epoch); state.InFlight || !state.Asked.Equal(epoch) || due < maxAge*7/10 || due > maxAge*9/10 {
			t.Errorf("once it is answered: %+v", state)
		}
		s.deliver("a", lifecycle.IntegrationEnabled, "")
		s.Touch("a")
		if state := s.State("a"); !state.Due.Equal(epoch.Add(Gap)) {
			t.Errorf("after a delivery it is due at %v", state.Due)
		}
		s.stepDown()
		settle(time.Minute)
		if state := s.State("a"); !state.Due.Equal(time.Now()) {
			t.Errorf("what waits for its turn is due at %v, now is %v", state.Due, time.Now())
		}
	})
}
