package keyrack_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// A report by a clock that is ahead is worth what one of now is, and no more.
func TestReportFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := begin(t, keyrack.Options{Policy: keyrack.Policy{MaxAge: hour}})
		defer tr.end()
		created("A", "k", lifecycle.Unset).do(tr)
		time.Sleep(minute)
		for _, ahead := range []time.Duration{hour, 290 * 365 * day} {
			time.Sleep(hour)
			if got := reported("A", "k", 200, -ahead).do(tr); got != "applied" {
				t.Errorf("a report from the future: %s", got)
			}
			if _, got := tr.stand("A"); got != "valid live" {
				t.Errorf("after a report from the future: %s", got)
			}
			time.Sleep(hour)
			if _, got := tr.stand("A"); got != "unknown lease_expired, guess valid" {
				t.Errorf("after the lease: %s", got)
			}
		}
		r, err := tr.rack.Report(tr.ctx, tokenText("k"), 200, time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Error(err)
		}
		tr.outcome(r)
	})
}

// A 200 to a request that began before a delivery says nothing against it.
func TestReportsAreFenced(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		began := time.Now()
		time.Sleep(time.Second)
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		if _, err := b.Report(context.Background(), tokenText("k"), http.StatusOK, began); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDisabled)
		time.Sleep(time.Second)
		if _, err := b.Report(context.Background(), tokenText("k"), http.StatusOK, time.Now()); err != nil {
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
