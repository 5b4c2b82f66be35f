package clock

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestTimeGoesOn: the clock tells the wall clock's time, in both forms.
func TestTimeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		for range 3 {
			time.Sleep(time.Hour + time.Microsecond)
			if now := time.Now(); !c.Now().Equal(now) || c.Instant() != lifecycle.At(now) {
				t.Errorf("%v and %v, want %v", c.Now(), c.Instant().Time(), now)
			}
		}
	})
}

// TestSetBack: where the wall clock stands before where it stood at the start, the
// time goes on from there.
func TestSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.wall = lifecycle.At(time.Now().Add(time.Hour)) // by which it has been set back since
		began := c.wall
		time.Sleep(time.Minute)
		if got := c.Instant(); got.Sub(began) != time.Minute {
			t.Errorf("after a minute %v have passed", got.Sub(began))
		}
		time.Sleep(2 * time.Hour)
		if got := c.Instant(); got.Sub(began) != 2*time.Hour+time.Minute {
			t.Errorf("after two hours and a minute %v have passed", got.Sub(began))
		}
	})
}

// TestJumpsAhead: the wall clock counts where it is ahead of the monotonic one.
func TestJumpsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.wall = lifecycle.At(time.Now().Add(-time.Hour)) // by which it has jumped ahead since
		if got := c.Instant(); got != lifecycle.At(time.Now()) {
			t.Errorf("%v, want the wall clock's %v", got.Time(), time.Now())
		}
	})
}
