package keyrack_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// year is longer than whatever Keyrack knows of time.
const year = 365 * 24 * time.Hour

// TestTheClockIsSetBetweenTwoLives has a Rack leave its store to another one, which
// lives years earlier or later by its clock: nothing is Valid by evidence that no
// longer counts, everything is the truth as soon as Mews answers again, and whatever
// is answered about one integration touches no other. Time begins anew in each of
// synctest's bubbles.
func TestTheClockIsSetBetweenTwoLives(t *testing.T) {
	tests := []struct{ first, second time.Duration }{
		{0, 0}, {0, time.Hour}, {time.Hour, 0}, {0, year}, {year, 0}, {0, 30 * year}, {30 * year, 0}, {30 * year, 29 * year},
	}
	for _, lives := range tests {
		name := fmt.Sprintf("from %d to %d hours", lives.first/time.Hour, lives.second/time.Hour)
		t.Run(name, func(t *testing.T) {
			s, sealer := memstore.New(nil), seal.Ephemeral()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(lives.first)
				o := newOracle("a", "b", "d", "e1")
				b := opened(t, o, s, sealer)
				defer b.Close()
				b.deliver(creation("a", "a", lifecycle.Yes)) // will stop working
				b.deliver(creation("b", "b", lifecycle.Yes)) // goes on
				b.deliver(creation("c", "c", lifecycle.No))  // will be enabled
				b.deliver(creation("d", "d", lifecycle.Yes)) // goes on for now, though it is canceled
				b.deliver(creation("e", "e0", lifecycle.Yes))
				b.deliver(rotation("e", "e1"))
				b.deliver(creation("f", "f", lifecycle.Yes))
				b.deliver(deletion("f", time.Time{}))
				settle(time.Minute)
				b.deliver(webhook(lifecycle.IntegrationCanceled, "d", nil))
				b.deliver(webhook(lifecycle.IntegrationDisabled, "b", nil))
				settle(time.Minute)
				b.is("b", lifecycle.Valid, lifecycle.ReasonLive) // says Mews when asked
				b.is("d", lifecycle.Valid, lifecycle.ReasonLive)
				b.is("e1", lifecycle.Valid, lifecycle.ReasonLive)
			})
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(lives.second + 10*time.Minute)
				o := newOracle("b", "c", "e1")
				o.silent = true
				b := opened(t, o, s, sealer)
				defer b.Close()
				jumped := lives.second - lives.first
				for step := range 3 { // hours without an answer
					for _, token := range []string{"a", "b", "c", "d", "e1"} {
						v := b.Check(tokenText(token))
						age := time.Duration(lifecycle.At(time.Now())-v.Evidence.At) * time.Microsecond
						if v.Active() && (age < -time.Minute || age > maxAge) {
							t.Errorf("%s is %v by evidence that is %v old, after %d hours", token, v.Status, age, step)
						}
					}
					b.is("e0", lifecycle.Invalid, lifecycle.ReasonSuperseded)
					b.is("f", lifecycle.Invalid, lifecycle.ReasonDeleted)
					settle(time.Hour)
				}
				o.set(func(o *oracle) { o.silent = false })
				settle(2 * time.Hour)
				soon := jumped <= -year || jumped >= year // else it is asked when its lease ends
				for _, token := range []string{"a", "b", "c", "d", "e1"} {
					_, works := o.works[tokenText(token)]
					if v := b.Check(tokenText(token)); soon && (v.Active() != works || v.Status == lifecycle.Unknown) {
						t.Errorf("%s works: %v; it is %v (%v) when Mews has answered", token, works, v.Status, v.Reason)
					}
				}
				settle(maxAge)
				want := map[string]lifecycle.Reason{
					"a": lifecycle.ReasonRejected, "b": lifecycle.ReasonLive, "c": lifecycle.ReasonLive, "d": lifecycle.ReasonRejected,
					"e0": lifecycle.ReasonSuperseded, "e1": lifecycle.ReasonLive, "f": lifecycle.ReasonDeleted,
				}
				for token, reason := range want {
					status := lifecycle.Invalid
					if reason == lifecycle.ReasonLive {
						status = lifecycle.Valid
					}
					b.is(token, status, reason)
				}
				for finding, err := range atrest.Examine(context.Background(), s, sealer) {
					t.Errorf("the journal and the records differ: %+v, %v", finding, err)
				}
			})
		})
	}
}
