package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// TestReportsThatCannotBeMeant: a report says how long ago, and what a path can say.
func TestReportsThatCannotBeMeant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := begin(t, keyrack.Options{Policy: keyrack.Policy{MaxAge: hour}})
		defer tr.end()
		created("A", "k", lifecycle.Unset).do(tr)
		time.Sleep(hour)
		for name, r := range map[string]keyrack.Report{
			"in the future":            answered("k", 200, -time.Nanosecond),
			"of another host":          {Token: keyrack.NewToken(tokenText("k")), Status: 200, Operation: "https://example.com/a"},
			"the token as a path":      {Token: keyrack.NewToken(tokenText("k")), Status: 200, Operation: "a/" + tokenText("k")},
			"an operation with blanks": {Token: keyrack.NewToken(tokenText("k")), Status: 200, Operation: "Bob's house"},
		} {
			_, err := tr.rack.Report(tr.ctx, r)
			if !errors.Is(err, keyrack.ErrInvalid) || r.Operation != "" && strings.Contains(err.Error(), r.Operation) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if receipt, err := tr.rack.Report(tr.ctx, answered("k", 200, 1<<63-1)); err != nil || !receipt.ID.IsZero() {
			t.Errorf("of 292 years ago: %+v, %v", receipt, err)
		}
		if got := reported("A", "k", 200, 0).do(tr); got != "applied" {
			t.Errorf("of now: %s", got)
		}
		if _, got := tr.stand("A"); got != "valid live" {
			t.Error(got)
		}
		time.Sleep(hour)
		if _, got := tr.stand("A"); got != "unknown lease_expired, guess valid" {
			t.Errorf("after the lease: %s", got)
		}
	})
}

// A 200 to a request that began before a delivery says nothing against it.
func TestReportsAreFenced(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		began := time.Now()
		time.Sleep(time.Second)
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		if _, err := b.Report(context.Background(), answered("k", http.StatusOK, time.Since(began))); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDisabled)
		time.Sleep(keyrack.ReportSlack + time.Second)
		if _, err := b.Report(context.Background(), answered("k", http.StatusOK, 0)); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

// A token that works although the deliveries say otherwise is worth an entry an
// hour and no more, however often it is used.
func TestWhatDoesNotSettleIsNotJournalledForEver(t *testing.T) {
	calling(t, func(b bench, _ *upstream, call func(integration, body string) error) {
		b.deliver(creation("superseded", "k", lifecycle.Yes))
		b.deliver(rotation("superseded", "k2"))
		b.deliver(creation("deleted", "l", lifecycle.Yes))
		b.deliver(deletion("deleted", time.Time{}))
		for range 100 {
			time.Sleep(time.Second)
			for _, name := range []string{"k", "l"} {
				if err := call("", `{"AccessToken":"`+tokenText(name)+`"}`); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.is("k", lifecycle.Invalid, lifecycle.ReasonSuperseded)
		b.is("l", lifecycle.Unknown, lifecycle.ReasonDeletedAccepted)
		for _, name := range []string{"superseded", "deleted"} {
			if n := b.entriesOf(name); n != 3 {
				t.Errorf("%d entries of the %s one, want two deliveries and one 200", n, name)
			}
		}
	})
}

// TestAForbiddenOperationIsCheap: an operation that lacks a permission and is polled every
// minute for most of a day costs at most one entry an hour, once that is known, and no doubt. The
// same holds where another operation's 200s come between, and where nobody says which
// operation it was.
func TestAForbiddenOperationIsCheap(t *testing.T) {
	for _, operation := range []string{"reservations/getAll", ""} {
		for _, others := range []bool{false, true} {
			for _, rack := range []string{"with a prober", "without"} {
				t.Run(fmt.Sprintf("%q, others %v, %s", operation, others, rack), func(t *testing.T) {
					test := func(b bench) { pollForbidden(b, operation, others || rack == "without") }
					if rack == "without" {
						synctest.Test(t, func(t *testing.T) {
							store := memstore.New(nil)
							rack, err := keyrack.Open(context.Background(), store, nil)
							if err != nil {
								t.Fatal(err)
							}
							defer rack.Close()
							test(bench{T: t, Rack: rack, store: store})
						})
						return
					}
					probing(t, newOracle("k", "l"), test)
				})
			}
		}
	}
}

func pollForbidden(b bench, operation string, others bool) {
	b.deliver(creation("a", "k", lifecycle.Yes))
	b.deliver(creation("b", "l", lifecycle.Yes))
	settle(time.Hour)
	report := func(operation string, status int) {
		if _, err := b.Report(context.Background(), keyrack.Report{Token: keyrack.NewToken(tokenText("k")), Status: status, Operation: operation}); err != nil {
			b.Fatal(err)
		}
	}
	doubted, before := 0, 0
	for n := range 23 * 60 {
		if n == 60 {
			before = b.entriesOf("a")
		}
		report(operation, 401)
		synctest.Wait()
		if n >= 60 && !b.Check(tokenText("k")).Active() {
			doubted++
		}
		if others {
			settle(time.Second)
			report("services/getAll", 200)
		}
		settle(time.Minute)
	}
	if n := b.entriesOf("a") - before; n > 23 {
		b.Errorf("%d entries in 22 hours", n)
	}
	if doubted > 0 {
		b.Errorf("in doubt after %d of the calls", doubted)
	}
	if n := b.Stats().Forbidden; n < 22*60 {
		b.Errorf("%d calls are counted", n)
	}
}

// elsewhere has another instance take in evidence, one whose clock is wrong by so much.
func (b bench) elsewhere(name string, wrong time.Duration, e lifecycle.Evidence) {
	b.Helper()
	id := integrationID(name)
	stored, err := b.store.Load(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	record, err := lifecycle.ParseRecord(stored.Record)
	if err != nil {
		b.Fatal(err)
	}
	now := lifecycle.At(time.Now().Add(wrong))
	e.Integration.ID, e.At, e.Horizon = id, now, 30*time.Minute
	if e.Kind == lifecycle.KindProbe {
		e.Token, e.Began, e.Generation = b.Digest(tokenText("k")), now, record.Generation
	}
	next, d := record.Apply(e)
	_, err = b.store.Commit(b.Context(), store.Commit{
		Entry: store.Entry{
			ID: store.NewEntryID(now.Time()), Integration: id, Version: next.Version, At: now,
			Evidence: lifecycle.AppendEvidence(nil, e), Decision: entry.Judgement{Decision: d}.Append(nil),
		},
		Expect: stored.Version, After: stored.Last, Record: lifecycle.AppendRecord(nil, next),
	})
	if err != nil {
		b.Fatal(err)
	}
}

// TestReportsAreFencedWhateverTheClocks: a call began before another instance took in that the
// hotel disabled, or Mews's 401, and its 200 is told of afterwards. It does not make the token
// Valid, however far apart the clocks of the two instances are, and whether or not this one has
// read of it by then. The 200 of a later call does.
func TestReportsAreFencedWhateverTheClocks(t *testing.T) {
	said := map[string]lifecycle.Evidence{
		"Disabled": {Kind: lifecycle.KindDelivery, Action: lifecycle.IntegrationDisabled},
		"401":      {Kind: lifecycle.KindProbe, Answer: lifecycle.Rejected},
	}
	for what, evidence := range said {
		for _, wrong := range []time.Duration{-30 * time.Minute, -2 * time.Minute, -time.Second, 0, time.Second, 2 * time.Minute} {
			for _, read := range []bool{false, true} {
				for _, through := range []string{"Report", "Transport"} {
					t.Run(fmt.Sprintf("%s/%v/%v/%s", what, wrong, read, through), func(t *testing.T) {
						calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
							b.deliver(creation("a", "k", lifecycle.Yes))
							settle(31 * time.Minute)
							tell := func(takes time.Duration, meanwhile func()) {
								defer settle(2 * time.Second)
								if through == "Report" {
									began := time.Now()
									time.Sleep(takes)
									meanwhile()
									if _, err := b.Report(b.Context(), answered("k", http.StatusOK, time.Since(began))); err != nil {
										t.Error(err)
									}
									return
								}
								u.meanwhile = func() {
									time.Sleep(takes)
									meanwhile()
								}
								defer func() { u.meanwhile = nil }()
								if err := call("", `{"AccessToken":"`+tokenText("k")+`"}`); err != nil {
									t.Error(err)
								}
							}
							tell(time.Second, func() {
								b.elsewhere("a", wrong, evidence)
								if read {
									settle(5 * time.Second)
								}
							})
							if v := b.Check(tokenText("k")); v.Status != lifecycle.Invalid {
								t.Errorf("after the 200 of a call that began before: %s", verdictText(v))
							}
							settle(3*time.Minute + max(0, wrong))
							tell(time.Second, func() {})
							if v := b.Check(tokenText("k")); v.Status != lifecycle.Valid {
								t.Errorf("after the 200 of a later call: %s", verdictText(v))
							}
						})
					})
				}
			}
		}
	}
}

// TestReportsAfterAStart: what the store holds is news to an instance that has just begun, so the
// 200 of a call that may have begun before settles nothing. A 401 is a doubt all the same.
func TestReportsAfterAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sealer := memstore.New(nil), seal.Ephemeral()
		open := func() bench {
			rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: sealer})
			if err != nil {
				t.Fatal(err)
			}
			return bench{T: t, Rack: rack, store: s}
		}
		report := func(b bench, status int) {
			if _, err := b.Report(t.Context(), answered("k", status, 0)); err != nil {
				t.Error(err)
			}
		}
		b := open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Hour)
		b.Close()
		b = open()
		defer func() { b.Close() }()
		report(b, 401)
		b.is("k", lifecycle.Unknown, lifecycle.ReasonDoubted)
		settle(keyrack.ReportSlack + time.Second)
		b.Close()
		b = open()
		report(b, 200)
		b.is("k", lifecycle.Unknown, lifecycle.ReasonDoubted)
		settle(keyrack.ReportSlack + time.Second)
		report(b, 200)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}
