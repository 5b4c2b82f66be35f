package join_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

const id = "4e1f0c62-5b8d-4c39-9a1e-ab2200f27c01"

var (
	others    = []string{strings.ToUpper(id), "{" + id + "}"}
	spellings = append([]string{id}, others...)
	hotel     = "8865aa96-f62d-4f9b-a912-ab2100f60f42"
	start     = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
)

// tester is what rapid's and testing's have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// former keeps identifiers as they come, as former versions of Keyrack did.
type former struct {
	t      tester
	store  store.Store
	sealer seal.Sealer
}

func newFormer(t tester) *former { return &former{t, memstore.New(nil), seal.Ephemeral()} }

func digest(token string) (d lifecycle.Digest) {
	copy(d[:], token)
	return d
}

func (f *former) record(spelling string) lifecycle.Record {
	f.t.Helper()
	stored, err := f.store.Load(context.Background(), spelling)
	if errors.Is(err, store.ErrNotFound) {
		return lifecycle.Record{ID: spelling}
	}
	record, parseErr := lifecycle.ParseRecord(stored.Record)
	if err != nil || parseErr != nil {
		f.t.Fatal(err, parseErr)
	}
	return record
}

// take takes evidence in under a spelling.
func (f *former) take(spelling string, e lifecycle.Evidence, token string) {
	f.t.Helper()
	e.Integration.ID = spelling
	if token != "" {
		e.Token = digest(token)
	}
	for {
		base := f.record(spelling)
		next, d := base.Apply(e)
		c := store.Commit{
			Entry: store.Entry{
				ID: store.NewEntryID(e.At.Time()), Integration: spelling, Version: next.Version, At: e.At,
				Evidence: lifecycle.AppendEvidence(nil, e), Decision: entry.Judgement{Decision: d}.Append(nil),
			},
			Expect: base.Version, Record: lifecycle.AppendRecord(nil, next),
		}
		for _, k := range next.Keys {
			if _, known := base.Key(k.Digest); known {
				continue
			}
			sealed, err := f.sealer.Seal([]byte(token), spelling)
			if err != nil {
				f.t.Fatal(err)
			}
			c.Claim = append(c.Claim, store.Claim{Digest: k.Digest, Sealed: sealed})
		}
		_, err := f.store.Commit(context.Background(), c)
		var owned *store.OwnedError
		switch {
		case err == nil:
			return
		case errors.As(err, &owned):
			e.Owner = owned.Owner
		default:
			f.t.Fatal(err)
		}
	}
}

func (f *former) options() join.Options {
	policy := lifecycle.Policy{}
	return join.Options{
		Digest: digest,
		Store:  f.store, Sealer: f.sealer, Now: func() time.Time { return start.AddDate(1, 0, 0) },
		Verdict: func(r *lifecycle.Record) lifecycle.Verdict {
			return r.Verdict(lifecycle.Digest{}, &policy, lifecycle.At(start))
		},
	}
}

// step is something that arrived.
type step struct {
	spelling string
	evidence lifecycle.Evidence
	token    string
}

func (f *former) all(steps []step, spelling string) {
	f.t.Helper()
	for _, s := range steps {
		at := s.spelling
		if spelling != "" {
			at = spelling
		}
		f.take(at, s.evidence, s.token)
	}
}

// check compares what a store came to with what it would be, had all come under one id.
func (f *former) check(steps []step, ignored ...string) {
	f.t.Helper()
	want := newFormer(f.t)
	want.all(steps, id)
	expected, got := want.record(id), f.record(id)
	ignore := cmpopts.IgnoreFields(lifecycle.Record{}, append([]string{"Version"}, ignored...)...)
	if diff := cmp.Diff(expected, got, ignore, cmpopts.EquateComparable(expected.Belief, expected.Possible)); diff != "" {
		f.t.Errorf("the record is not that of one spelling (-want +got):\n%s", diff)
	}
	for _, k := range got.Keys {
		ref := store.Ref{Integration: id, Digest: k.Digest}
		sealed, err := f.store.Sealed(context.Background(), ref)
		if err != nil {
			f.t.Errorf("the token of %v is lost: %v", k.Digest, err)
			continue
		}
		token, err := binding.Open(f.sealer, ref, sealed)
		if err != nil || digest(string(token)) != k.Digest {
			f.t.Errorf("the token of %v does not open: %v", k.Digest, err)
		}
		if owner, err := f.store.Owner(context.Background(), k.Digest); owner != id {
			f.t.Errorf("the token of %v belongs to %q, %v", k.Digest, owner, err)
		}
	}
	for _, spelling := range others {
		if r := f.record(spelling); len(r.Keys) > 0 || r.State != lifecycle.Unseen || r.Arrived != 0 {
			f.t.Errorf("%s is not empty: %+v", spelling, r)
		}
	}
}

func delivery(a lifecycle.Action, minutes int) lifecycle.Evidence {
	e := lifecycle.Evidence{Kind: lifecycle.KindDelivery, Action: a, At: lifecycle.At(start.Add(time.Duration(minutes) * time.Minute))}
	if a == lifecycle.IntegrationCreated {
		e.IsEnabled, e.Enterprise.ID = lifecycle.Yes, hotel
	}
	return e
}

// steps draws a life, each event under one of the spellings.
func steps() *rapid.Generator[[]step] {
	return rapid.Custom(func(t *rapid.T) (all []step) {
		at := 0
		for i := range rapid.IntRange(1, 12).Draw(t, "events") {
			at += rapid.SampledFrom([]int{0, 1, 20, 120}).Draw(t, "minutes")
			a := rapid.SampledFrom(lifecycle.Actions()).Draw(t, "action")
			s := step{spelling: rapid.SampledFrom(spellings).Draw(t, "spelling"), evidence: delivery(a, at)}
			s.evidence.At += lifecycle.Instant(i) // no two at once
			switch a {
			case lifecycle.IntegrationCreated:
				s.token = "first"
				s.evidence.IsEnabled = rapid.SampledFrom([]lifecycle.Flag{lifecycle.Unset, lifecycle.No, lifecycle.Yes}).Draw(t, "enabled")
				s.evidence.Enterprise.ID = rapid.SampledFrom([]string{"", hotel, strings.ToUpper(hotel)}).Draw(t, "enterprise")
			case lifecycle.IntegrationApiKeyCreated:
				s.token = fmt.Sprintf("key %d", rapid.IntRange(0, 3).Draw(t, "key"))
			}
			all = append(all, s)
		}
		return all
	})
}

// canonicalSteps are steps as a present version takes them in.
func canonicalSteps(all []step) []step {
	all = slices.Clone(all)
	for i := range all {
		e := &all[i].evidence
		e.Enterprise.ID = lifecycle.CanonicalID(e.Enterprise.ID)
	}
	return all
}

// TestJoinedIsAsOne: the record is what it would be, had all come under one spelling.
func TestJoinedIsAsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		life := steps().Draw(t, "life")
		if !slices.ContainsFunc(life, func(s step) bool { return s.spelling != id }) {
			life[0].spelling = others[0]
		}
		f := newFormer(t)
		f.all(life, "")
		for range 2 { // the second finds nothing to do
			if _, err := join.Join(context.Background(), f.options(), id, others...); err != nil {
				t.Fatal(err)
			}
			f.check(canonicalSteps(life))
		}
	})
}

// life is one with everything: two spellings with a token each, and toggles across them.
var life = []step{
	{others[0], delivery(lifecycle.IntegrationCreated, 0), "first"},
	{others[0], delivery(lifecycle.IntegrationDisabled, 60), ""},
	{id, delivery(lifecycle.IntegrationEnabled, 120), ""},
	{id, delivery(lifecycle.IntegrationApiKeyCreated, 180), "second"},
	{others[1], delivery(lifecycle.IntegrationCanceled, 240), ""},
	{others[1], delivery(lifecycle.IntegrationReinstated, 300), ""},
	{others[0], delivery(lifecycle.IntegrationApiKeyCreated, 360), "third"},
	{id, delivery(lifecycle.IntegrationEnabled, 420), ""},
}

// disturbed is a store to which something happens before or after its nth change.
type disturbed struct {
	store.Store
	left   int
	after  bool
	happen func() error
}

func (d *disturbed) change(do func() error) error {
	d.left--
	if d.left == 0 && !d.after {
		if err := d.happen(); err != nil {
			return err
		}
	}
	err := do()
	if d.left == 0 && d.after && err == nil {
		err = d.happen()
	}
	return err
}

func (d *disturbed) Commit(ctx context.Context, c store.Commit) (done store.Committed, err error) {
	err = d.change(func() error { done, err = d.Store.Commit(ctx, c); return err })
	return done, err
}

func (d *disturbed) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	return d.change(func() error { return d.Store.Reseal(ctx, ref, old, new) })
}

// disturb runs a joining for every step of it at which something can happen.
func disturb(t *testing.T, happen func(f *former) error, then func(t *testing.T, f *former, err error)) {
	t.Helper()
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			f := newFormer(t)
			f.all(life, "")
			d := &disturbed{Store: f.store, left: n, after: after, happen: func() error { return happen(f) }}
			o := f.options()
			o.Store = d
			_, err := join.Join(t.Context(), o, id, others...)
			if d.left > 0 {
				if n < 5 {
					t.Fatalf("only %d steps", n-1)
				}
				break
			}
			then(t, f, err)
			if t.Failed() {
				t.Fatalf("after %v, step %d", after, n)
			}
		}
	}
}

// TestCrash: whatever a crash leaves behind, the next joining finishes.
func TestCrash(t *testing.T) {
	crashed := errors.New("crashed")
	disturb(t, func(*former) error { return crashed }, func(t *testing.T, f *former, err error) {
		if !errors.Is(err, crashed) {
			t.Errorf("joined in spite of it: %v", err)
		}
		if _, err := join.Join(t.Context(), f.options(), id, others...); err != nil {
			t.Error(err)
		}
		f.check(life)
	})
}

// TestTwoAtOnce: another instance joins in the middle of it.
func TestTwoAtOnce(t *testing.T) {
	disturb(t, func(f *former) error {
		_, err := join.Join(context.Background(), f.options(), id, others...)
		return err
	}, func(t *testing.T, f *former, err error) {
		if err != nil {
			t.Error(err)
		}
		f.check(life)
	})
}

// TestFormerGoesOn: an instance of a former version takes something in, in the middle of
// it, and what it took in is joined afterwards.
func TestFormerGoesOn(t *testing.T) {
	more := []step{
		{others[0], delivery(lifecycle.IntegrationDisabled, 600), ""},
		{others[1], delivery(lifecycle.IntegrationApiKeyCreated, 660), "fourth"},
	}
	disturb(t, func(f *former) error { f.all(more, ""); return nil }, func(t *testing.T, f *former, err error) {
		if err != nil {
			t.Error(err)
		}
		if _, err := join.Join(t.Context(), f.options(), id, others...); err != nil {
			t.Error(err)
		}
		// What comes in two rounds may be folded in another order than it arrived in.
		f.check(append(slices.Clone(life), more...), "Arrived", "Basis")
	})
}

// TestManyAtOnce: many join at once, with the race detector on.
func TestManyAtOnce(t *testing.T) {
	f := newFormer(t)
	f.all(life, "")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := join.Join(t.Context(), f.options(), id, others...); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	f.check(life)
}

// TestAnotherEnterprise: two enterprises under one id are a contradiction, and the first
// one stays.
func TestAnotherEnterprise(t *testing.T) {
	f := newFormer(t)
	f.all(life, "")
	foreign := delivery(lifecycle.IntegrationCreated, 30)
	foreign.Enterprise.ID = "another hotel"
	f.take(others[1]+" ", foreign, "foreign")
	joined, err := join.Join(t.Context(), f.options(), id, append(others, others[1]+" ")...)
	if err != nil || len(joined.Causes) != 1 || joined.Causes[0] != "another enterprise" {
		t.Errorf("%v, %v", joined.Causes, err)
	}
	if r := f.record(id); r.Enterprise.ID != hotel {
		t.Errorf("it went to %q", r.Enterprise.ID)
	}
	if k, _ := joined.Record.Key(digest("foreign")); k.Claim != "another hotel" {
		t.Errorf("the other's token claims %q", k.Claim)
	}
	if v := joined.Record.Verdict(digest("foreign"), new(lifecycle.Policy), lifecycle.At(time.Unix(0, 0))); v.Active() {
		t.Errorf("the other's token is %v (%v)", v.Status, v.Reason)
	}
}

// TestTokenThatDoesNotOpen: nothing is joined, and nothing lost, if a token does not open.
func TestTokenThatDoesNotOpen(t *testing.T) {
	f := newFormer(t)
	f.all(life, "")
	o := f.options()
	o.Sealer = seal.Ephemeral()
	if _, err := join.Join(t.Context(), o, id, others...); !errors.Is(err, join.ErrUnopened) {
		t.Error(err)
	}
	if r := f.record(others[0]); len(r.Keys) == 0 {
		t.Error("a spelling was left")
	}
	if _, err := join.Join(t.Context(), f.options(), id, others...); err != nil {
		t.Error(err)
	}
	f.check(life)
}

// TestTrimmed: what a journal no longer has is taken from the record before it. Where two
// have lost their beginning, the result is as certain as they were.
func TestTrimmed(t *testing.T) {
	for _, trimmed := range [][]string{{others[0]}, {id}, {others[1]}, {others[0], id}, spellings} {
		f := newFormer(t)
		f.all(life, "")
		for _, spelling := range trimmed {
			var base lifecycle.Record
			for e, err := range f.store.History(t.Context(), spelling, store.EntryID{}) {
				if err != nil {
					t.Fatal(err)
				}
				evidence, err := lifecycle.ParseEvidence(e.Evidence)
				if err != nil {
					t.Fatal(err)
				}
				if base, _ = base.Apply(evidence); e.Version == 2 {
					break
				}
			}
			if err := f.store.Trim(t.Context(), spelling, base.Version, lifecycle.AppendRecord(nil, base)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := join.Join(t.Context(), f.options(), id, others...); err != nil {
			t.Fatal(err)
		}
		r := f.record(id)
		policy := lifecycle.Policy{}
		for token, want := range map[string]lifecycle.Status{"first": lifecycle.Invalid, "second": lifecycle.Invalid} {
			if v := r.Verdict(digest(token), &policy, lifecycle.At(start.AddDate(0, 0, 1))); v.Status != want {
				t.Errorf("%q trimmed: %s is %v", trimmed, token, v)
			}
		}
		if v := r.Verdict(digest("third"), &policy, lifecycle.At(start.AddDate(0, 0, 1))); v.Status == lifecycle.Invalid {
			t.Errorf("%q trimmed: the current token is %v", trimmed, v)
		}
	}
}
