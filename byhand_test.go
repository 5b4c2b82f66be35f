package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
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
		for _, record := range b.Enterprise(enterpriseID("H")) {
			if _, err := b.Forget(context.Background(), record.ID); err != nil {
				t.Fatal(err)
			}
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

// person is an act with who and why.
func person(a keyrack.Act) keyrack.Act {
	a.Who, a.Why, a.By = keyrack.NewToken("Kim Canary"), keyrack.NewToken("Mx. Canary of the hotel called"), "desk"
	return a
}

// everyAct returns an act of each kind about an integration, but the one that forgets it.
func everyAct(integration string) []keyrack.Act {
	id := integrationID(integration)
	return []keyrack.Act{
		{Kind: lifecycle.KindSettle, Integration: " {" + strings.ToUpper(id) + "}", Settlement: keyrack.Settlement{Enabled: lifecycle.No}},
		{Kind: lifecycle.KindImport, Import: keyrack.Import{Integration: lifecycle.Named{ID: id}, Token: keyrack.NewToken(` "` + tokenText("new") + `" `)}},
		{Kind: lifecycle.KindLabel, Integration: id, Labels: map[string]string{"tenant": "4711"}, Unlabel: []string{"env"}},
		{Kind: lifecycle.KindErase, Integration: id},
		{Kind: lifecycle.KindProbeRequest, Integration: id},
	}
}

// TestActIsPreviewed: what an act would do is what it then does; the preview itself changes
// nothing, and the journal says who did it and why to those who may see persons alone.
func TestActIsPreviewed(t *testing.T) {
	probing(t, newOracle(), func(b bench) {
		ctx := b.Context()
		b.oracle.set(func(o *oracle) { o.silent = true })
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "other", lifecycle.Yes))
		stranger := keyrack.Import{Integration: lifecycle.Named{ID: "new here"}, Token: keyrack.NewToken(tokenText("newer"))}
		owned := keyrack.Import{Integration: lifecycle.Named{ID: integrationID("a")}, Token: keyrack.NewToken(tokenText("other"))}
		acts := append(everyAct("a"),
			keyrack.Act{Kind: lifecycle.KindImport, Import: stranger}, keyrack.Act{Kind: lifecycle.KindImport, Import: owned},
			keyrack.Act{Kind: lifecycle.KindForget, Integration: integrationID("a")})
		for _, a := range acts {
			id := integrationID("a")
			if a.Import.Integration.ID == stranger.Integration.ID {
				id = stranger.Integration.ID
			}
			before, _ := b.Record(id)
			p, err := b.Preview(a)
			if err != nil {
				t.Fatalf("%v: %v", a.Kind, err)
			}
			if after, _ := b.Record(id); after.Version != before.Version || p.Version != before.Version {
				t.Errorf("%v: the preview of version %d changed the record from %d to %d", a.Kind, p.Version, before.Version, after.Version)
			}
			if was := b.CheckIntegration(id); was.Reason != p.Was.Reason {
				t.Errorf("%v: was %v, by the preview %v", a.Kind, was, p.Was)
			}
			receipt, err := b.Act(ctx, person(a))
			if is := b.CheckIntegration(id); err != nil || receipt.Decision != p.Decision || is.Status != p.Is.Status || is.Reason != p.Is.Reason {
				t.Errorf("%v became %+v, %v, %v; the preview was %+v", a.Kind, receipt, is, err, p)
			}
			var last keyrack.Change
			for last = range b.History(ctx, id) {
			}
			if last.ID != receipt.ID || last.Evidence.By != "desk" || strings.Contains(fmt.Sprintf("%+v", last), "Canary") {
				t.Errorf("%v: the journal ends with %+v", a.Kind, last)
			}
			for persons, want := range map[bool]bool{true: true, false: false} {
				body, err := b.Body(ctx, receipt.ID, persons)
				if shown := bytes.Contains(body, []byte("Kim Canary")) && bytes.Contains(body, []byte("the hotel called")); err != nil || shown != want {
					t.Errorf("%v, persons %v: %s, %v", a.Kind, persons, body, err)
				}
			}
		}
		if last := b.CheckIntegration(integrationID("a")); last.Reason != lifecycle.ReasonUnfamiliar {
			t.Errorf("after it was forgotten: %v", last)
		}
		audit(t, b.store, b.Rack)
	})
}

// TestActCountsOnce: an act that is sent again under its id is done once, whatever happened
// meanwhile, and an act is refused where something happened since it was shown.
func TestActCountsOnce(t *testing.T) {
	subscribing(t, func(f fixture) {
		ctx := f.Context()
		b, other := f.open(), f.open()
		defer b.Close()
		defer other.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		a := person(everyAct("a")[0])
		p, err := b.Preview(a)
		if err != nil {
			t.Fatal(err)
		}
		a.ID, a.Version = store.NewEntryID(time.Now()), p.Version
		entries := b.entriesOf("a")
		b.toggle("a", true)
		if _, err := b.Act(ctx, a); !errors.Is(err, store.ErrConflict) {
			t.Errorf("after something happened: %v", err)
		}
		a.Version++
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				rack := b
				if n%2 == 1 {
					rack = other
				}
				if receipt, err := rack.Act(ctx, a); err != nil || receipt.ID != a.ID || receipt.Decision.Outcome != lifecycle.Applied {
					t.Errorf("sent again: %+v, %v", receipt, err)
				}
			})
		}
		all.Wait()
		b.toggle("a", true)
		if receipt, err := b.Act(ctx, a); err != nil || receipt.ID != a.ID {
			t.Errorf("sent again later: %+v, %v", receipt, err)
		}
		if n := b.entriesOf("a"); n != entries+3 {
			t.Errorf("%d entries, want %d", n, entries+3)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		record, _ := b.Record(integrationID("a"))
		forget := person(keyrack.Act{Kind: lifecycle.KindForget, Integration: integrationID("a"), ID: store.NewEntryID(time.Now()), Version: record.Version})
		for range 2 {
			if receipt, err := b.Act(ctx, forget); err != nil || receipt.ID != forget.ID {
				t.Errorf("forgetting: %+v, %v", receipt, err)
			}
		}
		if n := b.entriesOf("a"); n != 1 {
			t.Errorf("%d entries after it was forgotten", n)
		}
		audit(t, b.store, b.Rack)
	})
}

// TestActOnSubscription: what is done to a subscription is journalled with who and why, and
// counts once.
func TestActOnSubscription(t *testing.T) {
	subscribing(t, func(f fixture) {
		ctx := f.Context()
		b := f.open()
		defer b.Close()
		var calls atomic.Int64
		h := &heard{fail: func(keyrack.Change) error {
			calls.Add(1)
			return errors.New("away")
		}}
		b.subscribe(h, &keyrack.SubscribeOptions{Attempts: 1})
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "l", lifecycle.Yes))
		time.Sleep(time.Minute)
		letters := func() (n int) {
			all, err := atrest.Subscriptions(ctx, b.store)
			if err != nil || len(all) != 1 {
				t.Fatalf("%v, %v", all, err)
			}
			return all[0].Dead
		}
		do := func(a keyrack.Act) {
			t.Helper()
			a.Kind, a.Subscription = lifecycle.KindControl, "test"
			receipt, err := b.Act(ctx, person(a))
			if err != nil || receipt.Decision.Outcome != lifecycle.Applied {
				t.Fatalf("%s: %+v, %v", a.Do, receipt, err)
			}
			time.Sleep(time.Minute)
		}
		if n := letters(); n != 2 {
			t.Fatalf("%d dead letters", n)
		}
		found, err := atrest.DeadLetters(ctx, b.store, "test")
		if err != nil {
			t.Fatal(err)
		}
		discard := keyrack.Act{Do: "discard", Letter: max(found[0].Position, found[1].Position), ID: store.NewEntryID(time.Now())}
		do(discard)
		do(discard)
		if n := letters(); n != 1 {
			t.Errorf("%d dead letters after one was discarded", n)
		}
		before := calls.Load()
		do(keyrack.Act{Do: "retry"})
		if n, called := letters(), calls.Load()-before; n != 2 || called != 2 {
			t.Errorf("%d dead letters and %d calls after they were tried again", n, called)
		}
		pause := keyrack.Act{Do: "pause", ID: store.NewEntryID(time.Now())}
		do(pause)
		do(keyrack.Act{Do: "resume"})
		do(pause)
		if all, err := atrest.Subscriptions(ctx, b.store); err != nil || all[0].Paused {
			t.Errorf("a pause that was sent again counts again: %v", err)
		}
		var done []string
		for c, err := range b.History(ctx, "") {
			body, bodyErr := b.Body(ctx, c.ID, true)
			if err != nil || bodyErr != nil || !bytes.Contains(body, []byte("Kim Canary")) || c.Evidence.By != "desk" {
				t.Errorf("%v: %s, %v", c, body, errors.Join(err, bodyErr))
			}
			done = append(done, c.Evidence.Operation)
		}
		if want := "discard test, retry test, pause test, resume test"; strings.Join(done, ", ") != want {
			t.Errorf("the journal has %v, want %s", done, want)
		}
		b.examined(f.sealer)
	})
}

// TestActThatCannotBeMeant: what says nothing, or about nobody, is refused and changes nothing.
func TestActThatCannotBeMeant(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		entries := b.entriesOf("a")
		id := integrationID("a")
		nobody := keyrack.Act{Kind: lifecycle.KindErase, Integration: id}
		for name, c := range map[string]struct {
			act  keyrack.Act
			want error
		}{
			"no kind":               {person(keyrack.Act{Integration: id}), keyrack.ErrInvalid},
			"a delivery":            {person(keyrack.Act{Kind: lifecycle.KindDelivery, Integration: id}), keyrack.ErrInvalid},
			"nobody does it":        {nobody, keyrack.ErrInvalid},
			"no prober":             {person(keyrack.Act{Kind: lifecycle.KindProbeRequest, Integration: id}), keyrack.ErrInvalid},
			"about nobody":          {person(keyrack.Act{Kind: lifecycle.KindForget, Integration: "nobody"}), keyrack.ErrNotFound},
			"nothing settled":       {person(keyrack.Act{Kind: lifecycle.KindSettle, Integration: id}), keyrack.ErrInvalid},
			"no label":              {person(keyrack.Act{Kind: lifecycle.KindLabel, Integration: id}), keyrack.ErrInvalid},
			"a bad label":           {person(keyrack.Act{Kind: lifecycle.KindLabel, Integration: id, Labels: map[string]string{"a b": "c"}}), keyrack.ErrInvalid},
			"a bad key to remove":   {person(keyrack.Act{Kind: lifecycle.KindLabel, Integration: id, Unlabel: []string{"a,b"}}), keyrack.ErrInvalid},
			"labels of nobody":      {person(keyrack.Act{Kind: lifecycle.KindLabel, Integration: "nobody", Labels: map[string]string{"a": "b"}}), keyrack.ErrNotFound},
			"no token":              {person(keyrack.Act{Kind: lifecycle.KindImport, Import: keyrack.Import{Integration: lifecycle.Named{ID: id}}}), keyrack.ErrInvalid},
			"no subscription":       {person(keyrack.Act{Kind: lifecycle.KindControl, Do: "pause"}), keyrack.ErrInvalid},
			"an unknown control":    {person(keyrack.Act{Kind: lifecycle.KindControl, Do: "stop", Subscription: "mail"}), keyrack.ErrInvalid},
			"letters there are not": {person(keyrack.Act{Kind: lifecycle.KindControl, Do: "retry", Subscription: "mail"}), atrest.ErrNoLetters},
		} {
			if _, err := b.Act(f.Context(), c.act); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		if _, err := b.Preview(keyrack.Act{Kind: lifecycle.KindControl, Do: "pause", Subscription: "mail"}); !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("a preview of a pause: %v", err)
		}
		for c, err := range b.History(f.Context(), "") {
			t.Errorf("the journal has %v, %v", c, err)
		}
		if n := b.entriesOf("a"); n != entries {
			t.Errorf("%d entries, want %d", n, entries)
		}
	})
}
