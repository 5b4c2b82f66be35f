package keyrack_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// A 200 of long ago that is reported now says nothing of a 401 of now.
func TestAnOld200VouchesForNobody(t *testing.T) {
	probing(t, newOracle(), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "l", lifecycle.Yes))
		settle(3 * time.Hour)
		b.is("k", lifecycle.Unknown, lifecycle.ReasonUnattributed)
		for _, ago := range []time.Duration{2 * time.Hour, 0} {
			for range 36 { // three minutes of them
				if _, err := b.Report(context.Background(), answered("l", 200, ago)); err != nil {
					t.Fatal(err)
				}
				settle(5 * time.Second)
				if ago > 0 {
					b.is("k", lifecycle.Unknown, lifecycle.ReasonUnattributed)
				}
			}
			b.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil))
		}
		for range 72 {
			if _, err := b.Report(context.Background(), answered("l", 200, 0)); err != nil {
				t.Fatal(err)
			}
			settle(5 * time.Second)
		}
		b.is("k", lifecycle.Invalid, lifecycle.ReasonRejected)
	})
}

// After an authentic deletion the token is erased as soon as Mews rejects it.
func TestADeletedTokenIsErasedOnceRejected(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		receipt := b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		record, _ := b.Record(receipt.Integration)
		ref := store.Ref{Integration: record.ID, Digest: record.Keys[0].Digest}
		if _, err := b.store.Sealed(context.Background(), ref); err != nil {
			t.Fatalf("the token is not there before the deletion: %v", err)
		}
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		b.deliver(deletion("a", time.Time{}))
		settle(time.Minute)
		if _, err := b.store.Sealed(context.Background(), ref); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the token is still there: %v", err)
		}
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDeleted)
		before := b.oracle.questions("k")
		settle(5 * 24 * time.Hour)
		if b.oracle.questions("k") != before {
			t.Error("a deletion that was confirmed is asked about for ever")
		}
	})
}

// With a dead ClientToken everything is answered 401. Verdicts stand until their
// max age is reached, and nothing is settled until a 200 is seen.
func TestADeadClientTokenSettlesNothing(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	probing(t, newOracle(names...), func(b bench) {
		for _, name := range names {
			b.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Hour)
		b.oracle.set(func(o *oracle) { o.deny = true })
		for _, name := range names {
			b.deliver(webhook(lifecycle.IntegrationEnabled, name, nil))
		}
		settle(10 * time.Minute)
		if !slices.Contains(b.alarms(), keyrack.Alarm{Kind: keyrack.AlarmTrouble}) {
			t.Errorf("no alarm of trouble: %v", b.alarms())
		}
		for _, name := range names {
			if v := b.Check(tokenText(name)); v.Status == lifecycle.Invalid {
				t.Errorf("token %s is %v (%v) because of a dead ClientToken", name, v.Status, v.Reason)
			}
		}
		settle(maxAge)
		for _, name := range names {
			if v := b.Check(tokenText(name)); v.Status != lifecycle.Unknown {
				t.Errorf("token %s is %v (%v) beyond its max age", name, v.Status, v.Reason)
			}
		}
		b.oracle.set(func(o *oracle) { o.deny = false })
		settle(time.Hour)
		for _, name := range names {
			b.is(name, lifecycle.Valid, lifecycle.ReasonLive)
		}
		if !slices.Contains(b.alarms(), keyrack.Alarm{Kind: keyrack.AlarmTroubleOver}) {
			t.Error("nobody was told that the trouble is over")
		}
	})
}

// One token among healthy ones that misses a permission harms only itself.
func TestAMissingPermissionAmongHealthyTokens(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	probing(t, newOracle(names[1:]...), func(b bench) {
		for _, name := range names {
			b.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Hour)
		if b.Check(tokenText("a")).Active() {
			t.Error("a token that gets 401 is valid")
		}
		for _, name := range names[1:] {
			b.is(name, lifecycle.Valid, lifecycle.ReasonLive)
		}
	})
}
