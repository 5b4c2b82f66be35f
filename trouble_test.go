package keyrack_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// troubled has several hotels work for an hour, and the ClientToken refused from then on.
// The first few are asked about, so that the trouble is noticed.
func troubled(t *testing.T, hotels int, test func(b bench, names []string)) {
	t.Helper()
	var names []string
	for i := range hotels {
		names = append(names, fmt.Sprintf("hotel%d", i))
	}
	probing(t, newOracle(names...), func(b bench) {
		for _, name := range names {
			b.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Hour)
		b.oracle.set(func(o *oracle) { o.deny = true })
		for _, name := range names[:3] {
			b.ask(name)
		}
		settle(2 * time.Minute)
		if !slices.Contains(b.alarms(), keyrack.Alarm{Kind: keyrack.AlarmTrouble}) {
			t.Fatalf("no alarm of trouble: %v", b.alarms())
		}
		test(b, names)
	})
}

// ask has a person ask about a hotel.
func (b bench) ask(name string) {
	b.Helper()
	if _, err := b.Rack.Probe(b.Context(), integrationID(name), "a person"); err != nil {
		b.Fatal(err)
	}
}

// marked returns which of some tokens are in trouble.
func (b bench) marked(names []string) (marked []string) {
	for _, name := range names {
		if v := b.Check(tokenText(name)); v.Trouble {
			marked = append(marked, name)
		}
	}
	return marked
}

// TestTroubleKeepsVerdicts: in a trouble the verdicts are what they were before, marked, up
// to their age. One question a minute goes to those that were touched. A 200 ends it, and
// then all of them are asked anew at once.
func TestTroubleKeepsVerdicts(t *testing.T) {
	troubled(t, 6, func(b bench, names []string) {
		for _, name := range names {
			b.is(name, lifecycle.Valid, lifecycle.ReasonLive)
		}
		before := b.marked(names)
		if len(before) < 3 || len(before) > 4 {
			t.Errorf("marked are %v", before)
		}
		b.oracle.set(func(o *oracle) { o.asked = nil })
		settle(10 * time.Minute)
		b.oracle.set(func(o *oracle) {
			if n := len(o.asked); n < 9 || n > 11 {
				t.Errorf("%d questions in ten minutes of trouble", n)
			}
		})
		for _, name := range names {
			b.is(name, lifecycle.Valid, lifecycle.ReasonLive)
		}
		settle(25 * time.Hour)
		for _, name := range names {
			if v := b.Check(tokenText(name)); v.Reason != lifecycle.ReasonLease {
				t.Errorf("token %s is %v (%v) beyond its age", name, v.Status, v.Reason)
			}
		}
		b.oracle.set(func(o *oracle) { o.deny = false })
		settle(time.Minute + 15*time.Second)
		for _, name := range names {
			b.is(name, lifecycle.Valid, lifecycle.ReasonLive)
		}
		if still := b.marked(names); len(still) != 0 {
			t.Errorf("still marked are %v", still)
		}
		if !slices.Contains(b.alarms(), keyrack.Alarm{Kind: keyrack.AlarmTroubleOver}) {
			t.Error("nobody was told that the trouble is over")
		}
	})
}

// TestTroubleTakesBack: what 401s settled after the latest 200 before a trouble is taken
// back, and what they settled before it stays.
func TestTroubleTakesBack(t *testing.T) {
	probing(t, newOracle("a", "b", "c"), func(b bench) {
		for _, name := range []string{"a", "b", "c", "dead"} {
			b.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(3 * time.Hour)
		b.is("dead", lifecycle.Invalid, lifecycle.ReasonRejected)
		b.oracle.set(func(o *oracle) { o.deny = true })
		b.ask("a")
		settle(150 * time.Millisecond)
		if v := b.Check(tokenText("a")); v.Active() || v.Trouble {
			t.Errorf("after one 401, a is %v (%v)", v.Status, v.Reason)
		}
		b.ask("b")
		b.ask("c")
		settle(2 * time.Minute)
		for _, name := range []string{"a", "b", "c"} {
			b.is(name, lifecycle.Valid, lifecycle.ReasonLive)
		}
		if v := b.Check(tokenText("a")); !v.Trouble {
			t.Error("what was taken back is not marked")
		}
		b.is("dead", lifecycle.Invalid, lifecycle.ReasonRejected)
	})
}

// TestTroubleIsForAll: another instance and the next one on the store see the mark, and the
// next leader goes on as the former did.
func TestTroubleIsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b", "c", "d"}
		s, sealer := memstore.New(nil), seal.Ephemeral()
		o := newOracle(names...)
		first := opened(t, o, s, sealer)
		for _, name := range names {
			first.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Hour)
		second := opened(t, o, s, sealer)
		defer second.Close()
		o.set(func(o *oracle) { o.deny = true })
		for _, name := range names[:3] {
			first.ask(name)
		}
		settle(3 * time.Minute)
		if len(first.marked(names)) < 3 || !slices.Equal(first.marked(names), second.marked(names)) {
			t.Errorf("marked are %v, and to the other instance %v", first.marked(names), second.marked(names))
		}
		first.Close()
		o.set(func(o *oracle) { o.asked = nil })
		settle(11 * time.Minute)
		o.set(func(o *oracle) {
			if n := len(o.asked); n < 8 || n > 12 {
				t.Errorf("%d questions in eleven minutes after the other took over", n)
			}
		})
		for _, name := range names {
			second.is(name, lifecycle.Valid, lifecycle.ReasonLive)
		}
		o.set(func(o *oracle) { o.deny = false })
		settle(2 * time.Minute)
		if still := second.marked(names); len(still) != 0 {
			t.Errorf("still marked are %v", still)
		}
	})
}
