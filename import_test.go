package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// What an import brings is held to what a delivery could say: nothing gets into
// the store that could not be read again.
func TestImportRefuses(t *testing.T) {
	s := memstore.New(nil)
	ring := seal.Ephemeral()
	r, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	good := keyrack.Import{Integration: lifecycle.Named{ID: integrationID("A")}, Token: keyrack.NewToken(tokenText("k"))}
	for _, test := range []struct {
		name   string
		change func(*keyrack.Import)
		ok     bool
	}{
		{"no id", func(i *keyrack.Import) { i.Integration.ID = "" }, false},
		{"no token", func(i *keyrack.Import) { i.Token = keyrack.Token{} }, false},
		{"an id with a zero byte", func(i *keyrack.Import) { i.Integration.ID = "a\x00b" }, false},
		{"an id with a line break", func(i *keyrack.Import) { i.Enterprise.ID = "a\nb" }, false},
		{"an id that is no UTF-8", func(i *keyrack.Import) { i.Service.ID = "a\xff" }, false},
		{"a long id", func(i *keyrack.Import) { i.Integration.ID = strings.Repeat("x", 129) }, false},
		{"a long token", func(i *keyrack.Import) { i.Token = keyrack.NewToken(strings.Repeat("x", 1025)) }, false},
		{"the year 10000", func(i *keyrack.Import) { i.CreatedUtc = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, false},
		{"the year -1", func(i *keyrack.Import) { i.CreatedUtc = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, false},
		{"a name that is no UTF-8", func(i *keyrack.Import) { i.Integration.Name = "a\xff\x00" }, true},
		{"the year 9999", func(i *keyrack.Import) { i.CreatedUtc = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }, true},
	} {
		i := good
		test.change(&i)
		if _, err := r.Import(t.Context(), i); (err == nil) != test.ok || err != nil && !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	audit(t, s, r)
	again, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: ring})
	if err != nil {
		t.Fatalf("the store cannot be opened any more: %v", err)
	}
	again.Close()
}

// A token that was erased once its deletion was old comes back by an import that
// brings it.
func TestImportBringsAnErasedTokenBack(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(deletion("a", time.Time{}))
		settle(30 * time.Hour)
		again := keyrack.Import{Integration: lifecycle.Named{ID: integrationID("a")}, Token: lifecycle.NewToken(tokenText("k"))}
		if _, err := b.Import(context.Background(), again); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		if token, v, err := b.Token(context.Background(), integrationID("a")); err != nil || token.Reveal() != tokenText("k") {
			t.Errorf("the token is %v (%v), %v", v.Status, v.Reason, err)
		}
		b.examined(f.sealer)
	})
}

// Labels are shown wherever the integration is: in verdicts, changes, explanations and
// look-ups, on other instances, after a restart and after a deletion; and what is forgotten
// has none.
func TestLabels(t *testing.T) {
	ctx, s, ring := t.Context(), memstore.New(nil), seal.Ephemeral()
	open := func() bench {
		r, err := keyrack.Open(ctx, s, &keyrack.Options{Sealer: ring, Poll: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return bench{T: t, Rack: r, store: s}
	}
	b := open()
	b.deliver(creation("a", "k", lifecycle.Yes))
	a := integrationID("a")
	receipt, err := b.Label(ctx, strings.ToUpper(a), map[string]string{"tenant": "4711", "env": "prod"}, nil, "desk")
	if err != nil || receipt.Decision.Outcome != lifecycle.Applied || receipt.Verdict.Labels != "env=prod,tenant=4711" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if _, err := b.Import(ctx, keyrack.Import{
		Integration: lifecycle.Named{ID: integrationID("b")}, Token: keyrack.NewToken(tokenText("l")), Labels: map[string]string{"tenant": "4711"},
	}); err != nil {
		t.Fatal(err)
	}
	b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
	other := open()
	for _, rack := range []bench{b, other} {
		records := rack.ByLabel("tenant", "4711")
		if len(records) != 2 || rack.ByLabel("tenant", "471") != nil && len(rack.ByLabel("tenant", "471")) > 0 || len(rack.ByLabel("env", "prod")) != 1 {
			t.Errorf("found by label: %d", len(records))
		}
		if v := rack.Check(tokenText("k")); v.Labels != "env=prod,tenant=4711" {
			t.Errorf("the verdict says %q", v.Labels)
		}
		e, err := rack.Explain(ctx, a)
		if err != nil || !strings.Contains(e.String(), "labels       env=prod tenant=4711\n") {
			t.Errorf("%v\n%v", err, e)
		}
		last := e.Changes[len(e.Changes)-1]
		if last.Evidence.Kind != lifecycle.KindDelivery || last.Labels != "env=prod,tenant=4711" || e.Changes[0].Labels != "" {
			t.Errorf("the changes say %q first and %q last", e.Changes[0].Labels, last.Labels)
		}
	}
	for _, refused := range []struct {
		id     string
		set    map[string]string
		remove []string
		err    error
	}{
		{integrationID("c"), map[string]string{"a": "1"}, nil, keyrack.ErrNotFound},
		{a, map[string]string{"a b": "1"}, nil, keyrack.ErrInvalid},
		{a, nil, []string{"a,b"}, keyrack.ErrInvalid},
		{a, nil, nil, keyrack.ErrInvalid},
		{a, labelsOf(15), nil, keyrack.ErrInvalid},
	} {
		if _, err := b.Label(ctx, refused.id, refused.set, refused.remove, ""); !errors.Is(err, refused.err) {
			t.Errorf("%v %v: %v", refused.set, refused.remove, err)
		}
	}
	if _, err := b.Import(ctx, keyrack.Import{Integration: lifecycle.Named{ID: a}, Token: keyrack.NewToken(tokenText("k")), Labels: labelsOf(15)}); !errors.Is(err, keyrack.ErrInvalid) {
		t.Errorf("more than 16 by an import: %v", err)
	}
	if _, err := b.Label(ctx, a, labelsOf(15), []string{"env"}, ""); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
	audit(t, s, b.Rack)
	if _, err := b.Forget(ctx, a); err != nil {
		t.Fatal(err)
	}
	if records := b.ByLabel("tenant", "4711"); len(records) != 1 || records[0].ID != integrationID("b") {
		t.Errorf("after forgetting: %d", len(records))
	}
	for stored, err := range s.Journal(ctx, 0) {
		if err != nil || stored.Integration == a && strings.Contains(string(stored.Evidence)+string(stored.Decision), "4711") {
			t.Errorf("the journal keeps a forgotten label: %v", err)
		}
	}
	audit(t, s, b.Rack)
}

func labelsOf(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprint("k", i)] = "v"
	}
	return all
}

// TestImportsWhoseTokensWereSwapped: a person has mixed up the tokens of twenty hotels in pairs,
// and the application calls with them, before Mews is asked and ever after. Its 200s show that a
// token works and not whose it is: none is Valid for the wrong hotel, not for an instant, however
// often it calls.
func TestImportsWhoseTokensWereSwapped(t *testing.T) {
	const hotels = 20
	name := func(n int) string { return fmt.Sprint("hotel ", n) }
	for _, calls := range []int{1, 5} {
		for _, away := range []bool{false, true} {
			probing(t, newOracle(), func(b bench) {
				b.oracle.set(func(o *oracle) {
					o.silent = away
					for n := range hotels {
						o.works[tokenText(name(n))] = enterpriseID(name(n))
					}
				})
				look := func(when string) {
					b.Helper()
					for n := range hotels {
						if v := b.Check(tokenText(name(n))); v.Active() && v.Enterprise != enterpriseID(name(n)) {
							b.Fatalf("%s, after %d calls, away %v: the token of %s is Valid for another's", when, calls, away, name(n))
						}
					}
				}
				call := func() {
					for n := range hotels {
						for range calls {
							if _, err := b.Report(b.Context(), answered(name(n), 200, 0)); err != nil {
								b.Error(err)
							}
						}
					}
					look("at the calls")
				}
				for n := range hotels {
					i := keyrack.Import{
						Integration: lifecycle.Named{ID: integrationID(name(n))}, Enterprise: lifecycle.Named{ID: enterpriseID(name(n))},
						Token: keyrack.NewToken(tokenText(name(n ^ 1))),
					}
					if _, err := b.Import(b.Context(), i); err != nil {
						b.Fatal(err)
					}
					look("at the import")
				}
				for _, later := range []time.Duration{0, 50 * time.Millisecond, time.Second, 31 * time.Second, 5 * time.Minute} {
					settle(later)
					look("before the call")
					call()
				}
				b.oracle.set(func(o *oracle) { o.silent = false })
				for range 5 {
					settle(time.Minute)
					look("when Mews answers")
					call()
				}
				settle(time.Hour)
				look("an hour later")
				for n := range hotels {
					b.is(name(n), lifecycle.Unknown, lifecycle.ReasonDisputed)
				}
			})
		}
	}
}
