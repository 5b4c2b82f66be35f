package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// TestExplainAtIsWhatExplainSaid: for every entry of a history, ExplainAt returns the
// record, the verdict and what would change it as Explain returned them right after that
// entry, and goes on doing so for what is left after trimming.
func TestExplainAtIsWhatExplainSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.keeping(f.store, keyrack.Retention{Entries: 4})
		defer b.Close()
		ctx, id := context.Background(), integrationID("a")
		said := map[store.Position]keyrack.Explanation{}
		var positions []store.Position
		for _, body := range [][]byte{
			webhook(lifecycle.IntegrationDisabled, "a", nil), creation("a", "k", lifecycle.Yes),
			webhook(lifecycle.IntegrationEnabled, "a", nil), rotation("a", "k2"), rotation("a", "k2"),
			webhook(lifecycle.IntegrationCanceled, "a", nil), webhook(lifecycle.IntegrationReinstated, "a", nil),
			webhook(lifecycle.IntegrationDeleted, "a", nil), webhook(lifecycle.IntegrationEnabled, "a", nil),
		} {
			b.deliver(creation("b", "other", lifecycle.Yes))
			b.deliver(body)
			e, err := b.Explain(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			at := e.Changes[len(e.Changes)-1].Position
			said[at], positions = e, append(positions, at)
			time.Sleep(20 * time.Minute)
		}
		check := func(positions []store.Position) {
			t.Helper()
			for _, at := range positions {
				e, err := b.ExplainAt(ctx, id, at)
				if err != nil {
					t.Fatalf("at %d: %v", at, err)
				}
				was := said[at]
				if diff := cmp.Diff(string(lifecycle.AppendRecord(nil, was.Record)), string(lifecycle.AppendRecord(nil, e.Record))); diff != "" {
					t.Errorf("at %d the record differs (-then +now):\n%s", at, diff)
				}
				if was.Verdict != e.Verdict || was.Token != e.Token || !was.At.Equal(e.At) || !cmp.Equal(was.WouldChange, e.WouldChange) {
					t.Errorf("at %d: %+v, want %+v", at, e, was)
				}
				if e.Changes[len(e.Changes)-1].Position != at {
					t.Errorf("at %d the changes end at %d", at, e.Changes[len(e.Changes)-1].Position)
				}
			}
		}
		check(positions)
		if e, err := b.ExplainAt(ctx, id, positions[3]+1); err != nil || e.Record.Version != 4 {
			t.Errorf("between two entries: version %d, %v", e.Record.Version, err)
		}
		if _, err := b.ExplainAt(ctx, id, positions[0]-1); !errors.Is(err, keyrack.ErrNotFound) {
			t.Errorf("before the first entry: %v", err)
		}
		settle(2 * time.Hour)
		if _, err := b.Trim(ctx); err != nil {
			t.Fatal(err)
		}
		check(positions[len(positions)-4:])
		for _, at := range positions[:len(positions)-4] {
			if _, err := b.ExplainAt(ctx, id, at); !errors.Is(err, keyrack.ErrNotFound) {
				t.Errorf("at %d, which was trimmed: %v", at, err)
			}
		}
		if _, err := b.ExplainAt(ctx, integrationID("nobody"), 1); !errors.Is(err, keyrack.ErrNotFound) {
			t.Errorf("an unknown integration: %v", err)
		}
	})
}

// TestBodyIsRedacted: a body is shown without its token, and without the person who asked
// unless that is wanted and was kept.
func TestBodyIsRedacted(t *testing.T) {
	person := func(e *events.Event) { e.Requestor = events.NewRequestor("Canary Person", "canary@example.com") }
	for _, kept := range []bool{false, true} {
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{KeepRequestor: kept})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		receipt, err := rack.Deliver(t.Context(), creation("a", "k", lifecycle.Yes, person))
		if err != nil {
			t.Fatal(err)
		}
		for _, persons := range []bool{false, true} {
			body, err := rack.Body(t.Context(), receipt.ID, persons)
			if err != nil || bytes.Contains(body, []byte(tokenText("k"))) || !strings.Contains(string(body), integrationID("a")) {
				t.Errorf("%s, %v", body, err)
			}
			if shows := bytes.Contains(body, []byte("canary@example.com")); shows != (kept && persons) {
				t.Errorf("kept %v, asked for %v: shows the person: %v", kept, persons, shows)
			}
		}
		if _, err := rack.EraseBodies(t.Context(), integrationID("a")); err != nil {
			t.Fatal(err)
		}
		if _, err := rack.Body(t.Context(), receipt.ID, true); !errors.Is(err, keyrack.ErrNotFound) {
			t.Errorf("an erased body: %v", err)
		}
	}
}

// TestSummariesAreTheRecords: every integration has one summary, and it says what Record
// and CheckIntegration say.
func TestSummariesAreTheRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.keeping(f.store, keyrack.Retention{})
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(webhook(lifecycle.IntegrationDisabled, "b", nil))
		seen := 0
		for s := range b.Summaries() {
			seen++
			record, ok := b.Record(s.Integration.ID)
			want := keyrack.Summary{
				Integration: lifecycle.Named{ID: record.ID, Name: record.Name}, Enterprise: record.Enterprise, Service: record.Service,
				Verdict: b.CheckIntegration(record.ID), Arrived: record.Arrived.Time(), Orphan: record.ID == integrationID("b"),
			}
			if diff := cmp.Diff(want, s); !ok || diff != "" {
				t.Errorf("%v (-record +summary):\n%s", ok, diff)
			}
		}
		if seen != 2 {
			t.Errorf("%d summaries of 2 integrations", seen)
		}
		for range b.Summaries() {
			break
		}
	})
}

func TestExplainSaysWhy(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes, func(e *events.Event) {
			e.Requestor = events.NewRequestor("Canary Person", "canary@example.com")
		}))
		settle(time.Minute)
		b.deliver(webhook(lifecycle.IntegrationCanceled, "a", nil))
		b.deliver(webhook(lifecycle.IntegrationReinstated, "a", nil))
		synctest.Wait() // the question is under way; its answer takes its time
		explanation, err := b.Explain(context.Background(), integrationID("a"))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(explanation.String(), explanation.Token.String(), "DIGEST00")
		testkit.Golden(t, "explain.txt", text)
		unknown, err := b.ExplainToken(context.Background(), "nobody knows it")
		if err != nil || unknown.Verdict.Status != lifecycle.Unknown || len(unknown.WouldChange) == 0 {
			t.Errorf("an unfamiliar token: %+v, %v", unknown, err)
		}
	})
}

// TestAt: at any moment At returns the verdict that Check gave then, though nothing happened
// at that moment, and what was told by then; of what was trimmed it says since when it knows.
func TestAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, sealer := memstore.New(nil), seal.Ephemeral()
		keep := 1000
		open := func(policy keyrack.Policy) *keyrack.Rack {
			r, err := keyrack.Open(t.Context(), mem, &keyrack.Options{Sealer: sealer, Horizon: minute, Policy: policy, Retention: keyrack.Retention{Entries: keep}})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		r := open(keyrack.Policy{MaxAge: 5 * time.Hour})
		ctx, id := context.Background(), integrationID("a")
		began := time.Now()
		type moment struct {
			at      time.Time
			verdict keyrack.Verdict
		}
		var moments []moment
		for hour := range 40 {
			switch hour {
			case 1:
				deliver(r, creation("a", "k", lifecycle.Yes))
			case 8:
				deliver(r, rotation("a", "k2"))
			case 9, 30:
				deliver(r, webhook(lifecycle.IntegrationDisabled, "a", nil))
			case 13:
				deliver(r, webhook(lifecycle.IntegrationEnabled, "a", nil))
			}
			time.Sleep(30 * time.Minute)
			moments = append(moments, moment{time.Now(), r.CheckIntegration(id)})
			time.Sleep(30 * time.Minute)
		}
		check := func(moments []moment) {
			t.Helper()
			for _, m := range moments {
				e, err := r.At(ctx, " "+strings.ToUpper(id), m.at)
				if err != nil {
					t.Errorf("after %v: %v", m.at.Sub(began), err)
					continue
				}
				if e.Verdict != m.verdict || !e.At.Equal(m.at) || e.Said != nil && e.Said.Status != m.verdict.Status {
					t.Errorf("after %v: %+v, told %+v; want %+v", m.at.Sub(began), e.Verdict, e.Said, m.verdict)
				}
			}
		}
		check(moments[1:])
		if _, err := r.At(ctx, id, moments[0].at); !errors.Is(err, keyrack.ErrNotFound) {
			t.Errorf("before it began: %v", err)
		}
		if _, err := r.At(ctx, id, time.Now().Add(time.Second)); !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("in the future: %v", err)
		}
		if _, err := r.At(ctx, integrationID("nobody"), began); !errors.Is(err, keyrack.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}

		r.Close()
		r = open(keyrack.Policy{MaxAge: 5 * time.Hour, Assume: true}) // what was told stays what it was
		if e, err := r.At(ctx, id, moments[7].at); err != nil || e.Said == nil || e.Said.Reason != lifecycle.ReasonLease {
			t.Errorf("%+v, %v", e.Said, err)
		}
		r.Close()
		r = open(keyrack.Policy{MaxAge: 1000 * time.Hour})
		e, err := r.At(ctx, id, moments[7].at)
		if err != nil || e.Verdict.Status != lifecycle.Valid || *e.Said != (keyrack.Standing{Status: lifecycle.Unknown, Reason: lifecycle.ReasonLease}) ||
			!strings.Contains(e.String(), "told then    unknown (lease_expired), by another policy") {
			t.Errorf("by another policy: %v, %v\n%v", e.Verdict, err, e)
		}
		r.Close()
		keep = 3
		r = open(keyrack.Policy{MaxAge: 5 * time.Hour})
		defer func() { r.Close() }()
		if _, err := r.Trim(ctx); err != nil {
			t.Fatal(err)
		}
		e, err = r.At(ctx, id, moments[5].at)
		if !errors.Is(err, keyrack.ErrNotFound) || e.Since.IsZero() {
			t.Fatalf("trimmed: since %v, %v", e.Since, err)
		}
		var left []moment
		for _, m := range moments {
			if !m.at.Before(e.Since) {
				left = append(left, m)
			}
		}
		if len(left) < 20 || len(left) > 35 {
			t.Errorf("%d of %d moments are left", len(left), len(moments))
		}
		check(left)
	})
}

// TestEveryReasonHasAdvice: each reason has one sentence that says what it means and what to
// do, and docs/lifecycle.md has the table of them.
func TestEveryReasonHasAdvice(t *testing.T) {
	var table strings.Builder
	table.WriteString("| reason | what it means, and what to do |\n| --- | --- |\n")
	seen := map[string]bool{}
	n := 0
	for reason := lifecycle.Reason(0); ; reason++ {
		var known lifecycle.Reason
		if err := known.UnmarshalText([]byte(reason.String())); err != nil || known != reason {
			break // beyond the last
		}
		n++
		advice := keyrack.Advice(reason)
		if !strings.Contains(advice, ": ") || !strings.HasSuffix(advice, ".") || strings.Count(advice, ".") != 1 || seen[advice] {
			t.Errorf("%v: %q is no sentence of its own that says what it means, and what to do", reason, advice)
		}
		seen[advice] = true
		table.WriteString("| `" + reason.String() + "` | " + advice + " |\n")
	}
	if n < 22 {
		t.Fatalf("%d reasons only; does the test still read them?", n)
	}
	if !strings.Contains(must(read("docs/lifecycle.md")), table.String()) {
		t.Errorf("docs/lifecycle.md does not have this table:\n%s", table.String())
	}
}
