package keyrack_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

func connection(token string) keyrack.Connection {
	return keyrack.Connection{Token: keyrack.NewToken(tokenText(token)), Labels: map[string]string{"tenant": "4711"}}
}

func (b bench) connect(token string) keyrack.Connected {
	b.Helper()
	c, err := b.Connect(context.Background(), connection(token))
	if err != nil {
		b.Fatalf("Connect: %v", err)
	}
	return c
}

// kinds returns the kinds of an integration's entries, as its history shows them.
func (b bench) kinds(id string) (all []string) {
	b.Helper()
	for c, err := range b.History(context.Background(), id) {
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, c.Evidence.Kind.String())
	}
	return all
}

// A token that Mews knows is valid when Connect returns, under an id of ours; the webhook that
// brings it gives the integration its name, without a moment of doubt, and all that was known
// is found under both ids, on another instance and after a restart as well.
func TestConnect(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		c := b.connect("k")
		if !c.Nameless || !c.Verdict.Active() || c.Enterprise.ID != enterpriseID("H") || c.Verdict.Labels != "tenant=4711" || !strings.HasPrefix(c.Integration, "nameless-") {
			t.Fatalf("connected: %+v", c)
		}
		if token, v, err := b.Token(context.Background(), c.Integration); err != nil || !v.Active() || token.Reveal() != tokenText("k") {
			t.Errorf("its token: %v, %v", v, err)
		}
		again := b.connect("k")
		if again.Verdict.Evidence = c.Verdict.Evidence; again != c {
			t.Errorf("connected again: %+v, want %+v", again, c)
		}
		time.Sleep(time.Hour)
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		settle(time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		a := integrationID("a")
		for _, id := range []string{a, c.Integration} {
			record, known := b.Record(id)
			if !known || record.ID != a || record.Labels != "tenant=4711" || !record.Created {
				t.Errorf("under %s: %+v", id, record)
			}
			if got := strings.Join(b.kinds(id), " "); !strings.HasPrefix(got, "import probe") || !strings.Contains(got, "delivery name") {
				t.Errorf("the history under %s is %s", id, got)
			}
			if token, v, err := b.Token(context.Background(), id); err != nil || !v.Active() || v.Integration != a || token.Reveal() != tokenText("k") {
				t.Errorf("the token under %s: %v, %v", id, v, err)
			}
		}
		if records := b.ByLabel("tenant", "4711"); len(records) != 1 || records[0].ID != a {
			t.Errorf("by label: %d", len(records))
		}
		if n := len(b.Enterprise(enterpriseID("H"))); n != 1 {
			t.Errorf("the hotel has %d integrations", n)
		}
		audit(t, b.store, b.Rack)
		if c := b.connect("k"); c.Nameless || c.Integration != a || !c.Verdict.Active() {
			t.Errorf("connected once more: %+v", c)
		}
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		if v := b.CheckIntegration(c.Integration); v.Integration != a || v.Reason != lifecycle.ReasonDisabled && v.Status == lifecycle.Valid {
			t.Errorf("the former id says %+v", v)
		}
		if _, err := b.Forget(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{a, c.Integration} {
			if kinds := strings.Join(b.kinds(id), " "); strings.Trim(kinds, " forget") != "" {
				t.Errorf("after forgetting, %s has %s", id, kinds)
			}
		}
		audit(t, b.store, b.Rack)
		if again := b.connect("k"); !again.Nameless || again.Verdict.Labels != "tenant=4711" {
			t.Errorf("connected after it was forgotten: %+v", again)
		}
		audit(t, b.store, b.Rack)
	})
}

// Nothing is kept of a token that Mews refuses, and what is known tells why it does.
func TestConnectRefused(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		nothing := func(when string) {
			t.Helper()
			if n := b.Len(); n != 0 {
				t.Errorf("%s: %d integrations are kept", when, n)
			}
		}
		for _, odd := range []keyrack.Connection{
			{}, {Token: keyrack.NewToken("a b")}, {Token: keyrack.NewToken(tokenText("k")), Labels: map[string]string{"a b": ""}},
			{Token: keyrack.NewToken(tokenText("k")), Enterprise: lifecycle.Named{ID: "x\ny"}},
			{Token: keyrack.NewToken(tokenText("k")), Enterprise: lifecycle.Named{ID: enterpriseID("another")}},
		} {
			if _, err := b.Connect(context.Background(), odd); !errors.Is(err, keyrack.ErrInvalid) {
				t.Errorf("%+v: %v", odd, err)
			}
		}
		nothing("what makes no sense")
		if _, err := b.Connect(context.Background(), connection("wrong")); !errors.Is(err, keyrack.ErrUnattributed) {
			t.Errorf("nobody else's token works: %v", err)
		}
		b.oracle.set(func(o *oracle) { o.silent = true })
		if _, err := b.Connect(context.Background(), connection("k")); !errors.Is(err, keyrack.ErrUnanswered) {
			t.Errorf("silence: %v", err)
		}
		b.oracle.set(func(o *oracle) { o.silent, o.delay = false, time.Minute })
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := b.Connect(ctx, connection("k")); !errors.Is(err, keyrack.ErrUnanswered) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an answer that takes longer than the caller has: %v", err)
		}
		nothing("refused, or not answered")
		b.oracle.set(func(o *oracle) { o.delay = 0 })
		b.witness()
		settle(time.Minute)
		if _, err := b.Connect(context.Background(), connection("wrong")); !errors.Is(err, keyrack.ErrRejected) {
			t.Errorf("another token works: %v", err)
		}
		b.is("wrong", lifecycle.Unknown, lifecycle.ReasonUnfamiliar)
		if n := b.Len(); n != 1 {
			t.Errorf("%d integrations are kept", n)
		}
	})
}

// What is kept although Mews is silent is unproved until it answers.
func TestConnectKeepsUnproved(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.oracle.set(func(o *oracle) { o.silent = true })
		c := connection("k")
		c.KeepUnproved = true
		got, err := b.Connect(context.Background(), c)
		if err != nil || got.Verdict.Reason != lifecycle.ReasonUnproved || got.Verdict.Active() {
			t.Fatalf("%+v, %v", got, err)
		}
		b.oracle.set(func(o *oracle) { o.silent = false })
		settle(10 * time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

// Connect revives nothing: a token that was superseded or deleted is answered for, and so is
// one that webhooks brought before.
func TestConnectKnownToken(t *testing.T) {
	probing(t, newOracle("k", "l"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		c := b.connect("k")
		if c.Nameless || c.Integration != integrationID("a") || !c.Verdict.Active() || c.Verdict.Labels != "tenant=4711" {
			t.Errorf("created before: %+v", c)
		}
		time.Sleep(time.Hour)
		b.deliver(rotation("a", "l"))
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		settle(time.Hour)
		if c := b.connect("k"); c.Verdict.Reason != lifecycle.ReasonSuperseded || c.Integration != integrationID("a") {
			t.Errorf("superseded: %+v", c)
		}
		b.is("l", lifecycle.Valid, lifecycle.ReasonLive)
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("l")) }) // before the probe that follows
		b.deliver(webhook(lifecycle.IntegrationDeleted, "a", nil))
		settle(time.Hour)
		if c := b.connect("l"); c.Verdict.Reason != lifecycle.ReasonDeleted || c.Verdict.Active() {
			t.Errorf("deleted: %+v", c)
		}
		if n := b.Len(); n != 1 {
			t.Errorf("%d integrations are kept", n)
		}
	})
}

// A webhook that names another enterprise gets neither token nor labels, and is an alarm.
func TestConnectAnotherEnterprise(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		c := b.connect("k")
		if receipt := b.deliver(creation("a", "k", lifecycle.Yes, atHotel("another"))); receipt.Decision.Outcome != lifecycle.Conflict {
			t.Errorf("%+v", receipt)
		}
		settle(time.Minute)
		b.alarmed("token owned by another integration")
		if v := b.Check(tokenText("k")); v.Integration != c.Integration || !v.Active() {
			t.Errorf("the token says %+v", v)
		}
		if record, _ := b.Record(integrationID("a")); record.Labels != "" || len(record.Keys) != 0 {
			t.Errorf("the other one has %+v", record)
		}
		audit(t, b.store, b.Rack)
	})
}

// Without a prober the caller is taken at their word, until webhooks come about an
// integration that may be this one.
func TestConnectWithoutProber(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		c := b.connect("k")
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		b.is("k", lifecycle.Unknown, lifecycle.ReasonNameless)
		if _, v, err := b.Token(context.Background(), c.Integration); err != nil || v.Reason != lifecycle.ReasonNameless {
			t.Errorf("%v, %v", v, err)
		}
		if text := explained(b, c.Integration); !strings.Contains(text, "a person who says which integration it is") {
			t.Errorf("explained:\n%s", text)
		}
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDisabled)
		if record, _ := b.Record(c.Integration); record.ID != integrationID("a") || record.Labels != "tenant=4711" {
			t.Errorf("under its former id: %+v", record)
		}
		audit(t, b.store, b.Rack)
	})
}

func explained(b bench, id string) string {
	b.Helper()
	e, err := b.Explain(context.Background(), id)
	if err != nil {
		b.Fatal(err)
	}
	return e.String()
}

// An integration that webhooks name without its token is found out by asking: the token that
// they bring later names the same enterprise, and the one that was connected is refused.
func TestConnectFoundOutByAsking(t *testing.T) {
	probing(t, newOracle("k", "l"), func(b bench) {
		b.witness()
		c := b.connect("k")
		settle(time.Hour)
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		b.deliver(rotation("a", "l"))
		settle(time.Minute)
		if record, _ := b.Record(c.Integration); record.ID != c.Integration {
			t.Errorf("named before Mews has refused its token: %+v", record)
		}
		settle(25 * time.Hour)
		record, _ := b.Record(c.Integration)
		if record.ID != integrationID("a") || record.Labels != "tenant=4711" {
			t.Fatalf("not found out: %+v", record)
		}
		b.is("l", lifecycle.Valid, lifecycle.ReasonLive)
		b.is("k", lifecycle.Invalid, lifecycle.ReasonSuperseded)
		audit(t, b.store, b.Rack)
	})
}

// Two hotels' worth of doubt is left to a person, who may name one by hand.
func TestConnectNamedByHand(t *testing.T) {
	probing(t, newOracle("k", "l", "m"), func(b bench) {
		b.witness()
		first, second := b.connect("k"), b.connect("m")
		settle(time.Hour)
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")); delete(o.works, tokenText("m")) })
		b.deliver(rotation("a", "l"))
		settle(25 * time.Hour)
		var unnamed []string
		for s := range b.Summaries() {
			if s.Nameless || s.Orphan {
				unnamed = append(unnamed, s.Integration.ID)
			}
		}
		if len(unnamed) != 3 {
			t.Fatalf("for a person to look at: %v", unnamed)
		}
		act := keyrack.Act{
			Kind: lifecycle.KindName, Integration: integrationID("a"), Nameless: first.Integration,
			Who: keyrack.NewToken("Kim"), Why: keyrack.NewToken("the hotel says so"), By: "desk",
		}
		for _, wrong := range []func(*keyrack.Act){
			func(a *keyrack.Act) { a.Nameless = integrationID("a") },
			func(a *keyrack.Act) { a.Integration = second.Integration },
			func(a *keyrack.Act) { a.Integration = "" },
		} {
			odd := act
			if wrong(&odd); !errors.Is(actError(b, odd), keyrack.ErrInvalid) {
				t.Errorf("%+v: %v", odd, actError(b, odd))
			}
		}
		p, err := b.Preview(act)
		if err != nil || p.Decision.Outcome != lifecycle.Applied {
			t.Errorf("previewed: %+v, %v", p, err)
		}
		act.ID, act.Version = store.NewEntryID(time.Now()), p.Version
		for range 2 { // sent again, it counts once
			if err := actError(b, act); err != nil {
				t.Fatal(err)
			}
		}
		settle(time.Hour)
		if record, _ := b.Record(first.Integration); record.ID != integrationID("a") || record.Labels != "tenant=4711" {
			t.Errorf("named: %+v", record)
		}
		b.is("l", lifecycle.Valid, lifecycle.ReasonLive)
		act.ID = store.NewEntryID(time.Now())
		if err := actError(b, act); !errors.Is(err, store.ErrConflict) {
			t.Errorf("named twice: %v", err)
		}
		audit(t, b.store, b.Rack)
	})
}

func actError(b bench, a keyrack.Act) error {
	_, err := b.Act(context.Background(), a)
	return err
}

// What one instance connects, another names; at no time is the token anybody else's, or
// nobody's, on either.
func TestConnectOnTwoInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ring := memstore.New(nil), seal.Ephemeral()
		one, two := opened(t, newOracle("k"), s, ring), opened(t, newOracle("k"), s, ring)
		defer one.Close()
		defer two.Close()
		c := one.connect("k")
		time.Sleep(time.Microsecond)
		two.deliver(creation("a", "k", lifecycle.Yes)) // it has not heard of it yet
		for range 30 {
			if v := one.Check(tokenText("k")); v.Integration != c.Integration && v.Integration != integrationID("a") {
				t.Errorf("the token is %+v", v)
			}
			time.Sleep(100 * time.Millisecond)
		}
		for _, b := range []bench{one, two} {
			if record, _ := b.Record(c.Integration); record.ID != integrationID("a") || record.Labels != "tenant=4711" {
				t.Errorf("%+v", record)
			}
			if got := strings.Join(b.kinds(integrationID("a")), " "); !strings.HasPrefix(got, "import probe") {
				t.Errorf("its history is %s", got)
			}
		}
		audit(t, s, one.Rack, two.Rack)
	})
}

// What an instance says of a nameless integration that another has named meanwhile does not
// make it lose sight of the token for a moment, although it has not heard of the name.
func TestConnectNamedMeanwhile(t *testing.T) {
	for what, say := range map[string]func(t *testing.T, r *keyrack.Rack, id string) error{
		"a 200 of its own": func(t *testing.T, r *keyrack.Rack, id string) error {
			_, err := r.Report(t.Context(), answered("k", http.StatusOK, 0))
			return err
		},
		"labels": func(t *testing.T, r *keyrack.Rack, id string) error {
			_, err := r.Label(t.Context(), id, map[string]string{"tenant": "4712"}, nil, "desk")
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, options := memstore.New(nil), &keyrack.Options{Sealer: seal.Ephemeral()}
				slow, other := openOn(t, &wire{Store: s}, options), openOn(t, s, options) // slow polls for news
				c, err := other.Connect(t.Context(), connection("k"))
				if err != nil {
					t.Fatal(err)
				}
				settle(time.Minute)
				if _, err := other.Deliver(t.Context(), creation("a", "k", lifecycle.Yes)); err != nil {
					t.Fatal(err)
				}
				if v := slow.Check(tokenText("k")); v.Integration != c.Integration {
					t.Fatalf("it has heard of the name: %+v", v)
				}
				if err := say(t, slow, c.Integration); err != nil {
					t.Error(err)
				}
				if v := slow.Check(tokenText("k")); v.Integration != integrationID("a") || !v.Active() {
					t.Errorf("the token is %+v", v)
				}
				settle(time.Minute)
				audit(t, s, slow, other)
			})
		})
	}
}
