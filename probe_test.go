package keyrack_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

func TestEveryDeliveryIsFollowedByAProbe(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.No)) // Mews enabled it meanwhile, and that webhook was lost
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDisabled)
		settle(time.Second)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		for range 3 {
			before := b.oracle.questions("k")
			settle(time.Minute)
			b.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil)) // duplicates ask, too
			settle(time.Second)
			if n := b.oracle.questions("k") - before; n != 1 {
				t.Errorf("%d questions after a duplicate, want 1", n)
			}
		}
	})
}

// An answer to a question that a delivery has overtaken is void, and the newest
// generation gets a question of its own.
func TestAnOvertakenAnswerIsVoid(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		b.oracle.set(func(o *oracle) { o.delay = 5 * time.Second })
		b.deliver(creation("a", "k", lifecycle.Yes)) // the question that follows is on its way
		settle(2 * time.Second)                      // it will be answered 200
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		settle(4 * time.Second)
		if v := b.Check(tokenText("k")); v.Active() {
			t.Errorf("an overtaken 200 made it %v (%v)", v.Status, v.Reason)
		}
		fenced := 0
		for e, err := range b.History(context.Background(), integrationID("a")) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Decision.Outcome == lifecycle.Fenced {
				fenced++
			}
		}
		if fenced != 1 {
			t.Errorf("%d fenced answers in the journal, want 1", fenced)
		}
		settle(time.Minute)
		record, _ := b.Record(integrationID("a"))
		if key, _ := record.CurrentKey(); key.Answer != lifecycle.Expected || key.Generation != record.Generation {
			t.Errorf("the newest generation %d has no answer of its own: %+v", record.Generation, key)
		}
	})
}

// The question at the max age finds out what a lost webhook would have said.
func TestTheLeaseFindsALostDelivery(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.witness()
		settle(time.Hour)
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) }) // and nobody says so
		settle(maxAge)
		b.is("k", lifecycle.Invalid, lifecycle.ReasonRejected)
		b.oracle.set(func(o *oracle) { o.works[tokenText("k")] = enterpriseID("H") })
		settle(maxAge)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		// Beside those: the two 401s, a minute apart, and what is asked again after them.
		if n := b.oracle.questions("k"); n > 25 {
			t.Errorf("%d questions in two days", n)
		}
	})
}

// Valid does not outlive its max age when nobody answers, for years.
func TestValidEndsWithItsLease(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		b.oracle.set(func(o *oracle) { o.silent = true })
		settle(maxAge - 5*time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		settle(5 * time.Minute)
		b.is("k", lifecycle.Unknown, lifecycle.ReasonLease)
		b.oracle.set(func(o *oracle) { o.silent = false })
		settle(10 * time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

// Of two instances on one store one asks, and the other takes over.
func TestOneInstanceAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s, sealer := newOracle("k"), memstore.New(nil), seal.Ephemeral()
		first, second := opened(t, o, s, sealer), opened(t, o, s, sealer)
		defer second.Close()
		settle(time.Minute)
		first.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		second.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil)) // the first hears of it from the journal
		settle(time.Minute)
		if n := o.questions("k"); n != 2 {
			t.Errorf("%d questions for two deliveries to two instances, want 2", n)
		}
		second.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		first.Close()
		second.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil))
		settle(2 * time.Minute)
		if n := o.questions("k"); n != 3 {
			t.Errorf("%d questions after the first instance ended, want 3", n)
		}
	})
}

// A General Webhook is a sign of life: worth a question where the verdict is not Valid.
func TestASignOfLifeAsks(t *testing.T) {
	probing(t, newOracle(), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.No))
		settle(3 * time.Hour)
		b.oracle.set(func(o *oracle) { o.works[tokenText("k")] = enterpriseID("H") })
		general := []byte(`{"EnterpriseId":"` + enterpriseID("H") + `","IntegrationId":"` + integrationID("a") + `","Events":[]}`)
		if receipt := b.deliver(general); receipt.General == nil {
			t.Fatal("not recognised")
		}
		settle(time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}
