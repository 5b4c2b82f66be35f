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
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
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
