package keyrack_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

func TestAskingByHand(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.witness()
		settle(time.Minute)
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		if _, err := b.Probe(context.Background(), integrationID("a"), "test"); err != nil {
			t.Fatal(err)
		}
		settle(5 * time.Minute)
		b.is("k", lifecycle.Invalid, lifecycle.ReasonRejected)
		if _, err := b.Probe(context.Background(), "nobody", "test"); !errors.Is(err, keyrack.ErrNotFound) {
			t.Errorf("Probe about nobody: %v", err)
		}
	})
}

func TestIssuingIsJournalled(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		token, v, err := b.IssueToken(context.Background(), integrationID("a"), "billing")
		if err != nil || !v.Active() || token.Reveal() != tokenText("k") {
			t.Fatalf("IssueToken: %v, %v", v, err)
		}
		var last keyrack.Change
		for last = range b.History(context.Background(), integrationID("a")) {
		}
		if last.Evidence.Kind != lifecycle.KindIssue || last.Evidence.By != "billing" {
			t.Errorf("the journal ends with %v", last)
		}
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		if _, _, err := b.IssueToken(context.Background(), integrationID("a"), "billing"); !errors.Is(err, keyrack.ErrNotActive) {
			t.Errorf("a disabled integration's token is handed out: %v", err)
		}
	})
}

// What is forgotten is gone, and what comes next meets an unknown integration.
func TestForgetting(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		if n, err := b.ForgetEnterprise(context.Background(), enterpriseID("H")); n != 1 || err != nil {
			t.Fatalf("ForgetEnterprise: %d, %v", n, err)
		}
		b.is("k", lifecycle.Unknown, lifecycle.ReasonUnfamiliar)
		if records := b.Enterprise(enterpriseID("H")); len(records) != 0 {
			t.Errorf("the enterprise still has %d integrations", len(records))
		}
		entries := 0
		for e, err := range b.History(context.Background(), integrationID("a")) {
			if entries++; err != nil || e.Evidence.Kind != lifecycle.KindForget {
				t.Errorf("the journal still has %v, %v", e, err)
			}
		}
		for ref, err := range b.store.ScanSealed(context.Background()) {
			if err != nil || ref.Name == "" {
				t.Errorf("a sealed value is left: %v, %v", ref, err)
			}
		}
		if entries != 1 {
			t.Errorf("%d entries, want the one that says so", entries)
		}
		b.deliver(creation("a", "k", lifecycle.Yes, atHotel("other")))
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		audit(t, b.store, b.Rack)
	})
}

func TestErasingBodies(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		receipt := b.deliver(creation("a", "k", lifecycle.Yes))
		if _, err := b.store.Sealed(context.Background(), store.Ref{Entry: receipt.ID}); err != nil {
			t.Fatalf("the body is not there: %v", err)
		}
		if _, err := b.EraseBodies(context.Background(), integrationID("a")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.Sealed(context.Background(), store.Ref{Entry: receipt.ID}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the body is still there: %v", err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		if token, _, err := b.Token(context.Background(), integrationID("a")); err != nil || token.IsZero() {
			t.Errorf("the token went with the body: %v", err)
		}
		audit(t, b.store, b.Rack)
	})
}
