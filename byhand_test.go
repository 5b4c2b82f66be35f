package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
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

// TestSettleSaysWho: the journal keeps who settled something and why, for those who may see
// persons, until bodies are erased; nothing else shows it.
func TestSettleSaysWho(t *testing.T) {
	ctx := context.Background()
	var log bytes.Buffer
	rack, err := keyrack.Open(ctx, memstore.New(nil), &keyrack.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	if _, err := rack.Deliver(ctx, creation("a", "k", lifecycle.Yes)); err != nil {
		t.Fatal(err)
	}
	word := keyrack.Settlement{Enabled: lifecycle.No, Who: keyrack.NewToken("Kim Canary"), Why: keyrack.NewToken("Mx. Canary of the hotel called"), By: "desk"}
	receipt, err := rack.Settle(ctx, " {"+strings.ToUpper(integrationID("a"))+"}", word)
	if err != nil || receipt.Decision.Outcome != lifecycle.Applied {
		t.Fatalf("%+v, %v", receipt, err)
	}
	for persons, want := range map[bool]bool{true: true, false: false} {
		body, err := rack.Body(ctx, receipt.ID, persons)
		if shown := bytes.Contains(body, []byte(word.Who.Reveal())) && bytes.Contains(body, []byte(word.Why.Reveal())); err != nil || shown != want {
			t.Errorf("persons %v: %s, %v", persons, body, err)
		}
	}
	explanation, err := rack.Explain(ctx, integrationID("a"))
	if text := fmt.Sprintf("%+v %v %s", explanation, receipt, log.String()); err != nil || strings.Contains(text, "Canary") {
		t.Errorf("somebody is named: %v", err)
	}
	if last := explanation.Changes[len(explanation.Changes)-1]; last.Evidence.Kind != lifecycle.KindSettle || last.Evidence.By != "desk" {
		t.Errorf("the journal ends with %v", last)
	}
	if _, err := rack.EraseBodies(ctx, integrationID("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := rack.Body(ctx, receipt.ID, true); !errors.Is(err, keyrack.ErrNotFound) {
		t.Errorf("after the bodies were erased: %v", err)
	}
	for name, bad := range map[string]keyrack.Settlement{
		"nobody says it":    {Enabled: lifecycle.Yes, Why: keyrack.NewToken("why")},
		"for no reason":     {Enabled: lifecycle.Yes, Who: keyrack.NewToken("who"), Why: keyrack.NewToken(" ")},
		"nothing":           {Who: keyrack.NewToken("who"), Why: keyrack.NewToken("why")},
		"at great length":   {Enabled: lifecycle.Yes, Who: keyrack.NewToken("who"), Why: keyrack.NewToken(strings.Repeat("why", 100))},
		"a flag of its own": {Enabled: 9, Who: keyrack.NewToken("who"), Why: keyrack.NewToken("why")},
		"no identifier":     {AnsweredBy: "a\x00b", Who: keyrack.NewToken("who"), Why: keyrack.NewToken("why")},
		"no text":           {Enabled: lifecycle.Yes, Who: keyrack.NewToken("\xff"), Why: keyrack.NewToken("why")},
	} {
		if _, err := rack.Settle(ctx, integrationID("a"), bad); !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := rack.Settle(ctx, "nobody", word); !errors.Is(err, keyrack.ErrNotFound) {
		t.Errorf("about nobody: %v", err)
	}
}
