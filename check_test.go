package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// No question allocates, whatever its answer.
func TestQuestionsDoNotAllocate(t *testing.T) {
	c := crowdOf(t, 1_000)
	missing := keyrack.Report{Token: keyrack.NewToken(c.tokens[7]), Status: 404, Operation: "reservations/getAll"}
	for name, ask := range map[string]func(){
		"Check":                         func() { c.rack.Check(c.tokens[7]) },
		"Check of an unfamiliar token":  func() { c.rack.Check("unfamiliar") },
		"Check of no token":             func() { c.rack.Check("") },
		"Integration":                   func() { c.rack.CheckIntegration(c.ids[7]) },
		"Integration that nobody knows": func() { c.rack.CheckIntegration("unknown") },
		"Report that tells nothing new": func() { c.rack.Report(context.Background(), missing) },
	} {
		if n := testing.AllocsPerRun(1000, ask); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// ends says whether a context of While has ended, and by which verdict.
func ends(ctx context.Context) string {
	switch err, ok := errors.AsType[*keyrack.NotActiveError](context.Cause(ctx)); {
	case ok:
		return fmt.Sprintf("%v (%v)", err.Verdict.Status, err.Verdict.Reason)
	case ctx.Err() != nil:
		return context.Cause(ctx).Error()
	}
	return "no"
}

// A context of While ends before Deliver returns, on another instance when it has read the
// journal, when evidence is too old for as long as is borne, and with the Rack.
func TestWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, sealer := memstore.New(nil), seal.Ephemeral()
		open := func() *keyrack.Rack {
			r, err := keyrack.Open(t.Context(), mem, &keyrack.Options{
				Sealer: sealer, Policy: keyrack.Policy{MaxAge: 12 * time.Hour}, Patience: 5 * time.Minute,
			})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		here, there := open(), open()
		defer there.Close()
		deliver := func(body []byte) {
			if _, err := here.Deliver(t.Context(), body); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"alps", "dolomites", "tirol"} {
			deliver(creation(name, name, lifecycle.Yes))
		}
		time.Sleep(2 * time.Second)
		while := func(r *keyrack.Rack, name string) context.Context {
			ctx, stop := r.While(t.Context(), " {"+integrationID(name)+"} ")
			t.Cleanup(stop)
			return ctx
		}
		alps, alpsThere, tirol, forgotten := while(here, "alps"), while(there, "alps"), while(here, "tirol"), while(here, "dolomites")
		nobody, stop := here.While(t.Context(), "nobody knows it")
		defer stop()

		deliver(webhook(lifecycle.IntegrationDisabled, "alps", nil))
		if got := ends(alps); got != "invalid (disabled)" {
			t.Errorf("when Deliver has returned: %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := ends(alpsThere); got != "invalid (disabled)" {
			t.Errorf("on another instance: %s", got)
		}
		if _, err := here.Forget(t.Context(), integrationID("dolomites")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Minute + time.Second)
		for name, ended := range map[string]struct {
			ctx  context.Context
			want string
		}{
			"forgotten": {forgotten, "unknown (unfamiliar)"}, "that nobody knows": {nobody, "unknown (unfamiliar)"}, "that works": {tirol, "no"},
		} {
			if got := ends(ended.ctx); got != ended.want {
				t.Errorf("one %s: %s, want %s", name, got, ended.want)
			}
		}
		time.Sleep(12*time.Hour - time.Minute)
		if got := ends(tirol); got != "no" {
			t.Errorf("too old for less than is borne: %s", got)
		}
		time.Sleep(5 * time.Minute)
		if got := ends(tirol); got != "unknown (lease_expired)" {
			t.Errorf("too old: %s", got)
		}
		late := while(here, "tirol")
		here.Close()
		if got := ends(late); got != keyrack.ErrClosed.Error() {
			t.Errorf("after Close: %s", got)
		}
	})
}

// A context of While for a nameless integration ends with the one that it turns out to be.
func TestWhileNameless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		connected, err := r.Connect(t.Context(), connection("k"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := r.While(t.Context(), connected.Integration)
		defer stop()
		time.Sleep(time.Hour)
		deliver(r, creation("alps", "k", lifecycle.Yes))
		time.Sleep(time.Hour)
		if got := ends(ctx); got != "no" {
			t.Fatalf("once it has a name: %s", got)
		}
		deliver(r, webhook(lifecycle.IntegrationDisabled, "alps", nil))
		if got := ends(ctx); got != "invalid (disabled)" {
			t.Errorf("when Deliver has returned: %s", got)
		}
	})
}
