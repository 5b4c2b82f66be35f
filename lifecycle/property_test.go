package lifecycle_test

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	. "github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/lifecycle/internal/belief"
)

// TestModel: a record is what the model says that it must be. The draws are the same at every
// commit; KEYRACK_LONG=1 draws anew, and -rapid.seed and -rapid.checks choose.
func TestModel(t *testing.T) {
	if seed := flag.Lookup("rapid.seed"); os.Getenv("KEYRACK_LONG") == "" && seed.Value.String() == seed.DefValue {
		if err := seed.Value.Set("1"); err != nil {
			t.Fatal(err)
		}
		defer seed.Value.Set(seed.DefValue)
	}
	table := readTable(t)
	rapid.Check(t, func(t *rapid.T) {
		var r Record
		m, s := newModel(table), newSource(everything)
		for range rapid.IntRange(1, 20).Draw(t, "length") {
			e := s.draw(t, &r)
			var d Decision
			r, d = r.Apply(e)
			if outcome := m.take(e); d.Outcome != outcome {
				t.Fatalf("%v, the model says %v", d.Outcome, outcome)
			}
			if diff := cmp.Diff(m.view(), viewOf(&r, s.now)); diff != "" {
				t.Fatalf("-model +record:\n%s", diff)
			}
		}
	})
}

// TestJournalFoldsToRecord: a record is the fold of its journal, byte for byte and from any
// snapshot, and Apply leaves alone what it was called on.
func TestJournalFoldsToRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSource(everything)
		records, journal := []Record{{}}, []Evidence(nil)
		for range rapid.IntRange(1, 20).Draw(t, "length") {
			r := &records[len(records)-1]
			e := s.draw(t, r)
			branch := s.draw(t, r)
			next, _ := r.Apply(e)
			r.Apply(branch) // must not show in next
			if again, _ := r.Apply(e); !bytes.Equal(AppendRecord(nil, next), AppendRecord(nil, again)) {
				t.Fatalf("twice the same gave\n%s\n%s", AppendRecord(nil, next), AppendRecord(nil, again))
			}
			records, journal = append(records, next), append(journal, e)
		}
		for i := range records {
			r, err := ParseRecord(AppendRecord(nil, records[i]))
			if diff := cmp.Diff(records[i], r); err != nil || diff != "" {
				t.Fatalf("snapshot %d: %v\n%s", i, err, diff)
			}
			for j, e := range journal[i:] {
				e, err := ParseEvidence(AppendEvidence(nil, e))
				if err != nil {
					t.Fatal(err)
				}
				r, _ = r.Apply(e)
				if got, want := AppendRecord(nil, r), AppendRecord(nil, records[i+j+1]); !bytes.Equal(got, want) {
					t.Fatalf("from snapshot %d, entry %d gives\n%s, not\n%s", i, i+j, got, want)
				}
			}
		}
	})
}

// TestDeletedIsFinal: deliveries with a deletion among them end in deleted,
// whatever their order, and no answer leaves it.
func TestDeletedIsFinal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSource(slices.DeleteFunc(slices.Clone(everything), func(what string) bool { return what == "import" }))
		n := rapid.IntRange(1, 15).Draw(t, "length")
		deletion := rapid.IntRange(0, n-1).Draw(t, "deletion")
		var r Record
		for i := range n {
			e := s.draw(t, &r)
			if i == deletion {
				e = delivery(IntegrationDeleted, s.now)
				e.DeletedUtc = rapid.SampledFrom([]Instant{0, minute(-1), minute(-1000000)}).Draw(t, "DeletedUtc")
			}
			var d Decision
			if r, d = r.Apply(e); i >= deletion && (r.State != Deleted || d.To != Deleted) {
				t.Fatalf("%v after the deletion", r.State)
			}
		}
		for _, k := range r.Keys {
			if v := verdict(&r, k.Digest, s.now); v.Status == Valid || k.Status != Revoked || v.State != Deleted {
				t.Fatalf("a token is %v, %+v", k.Status, v)
			}
		}
		if k, ok := r.CurrentKey(); ok {
			t.Fatalf("it still hands out %v", k)
		}
	})
}

// ignoreTimes leaves out when the flags and tokens became what they are.
var ignoreTimes = cmp.Options{
	cmpopts.IgnoreFields(Pair{}, "Since"),
	cmpopts.IgnoreFields(Key{}, "Since", "Until"),
	cmpopts.IgnoreFields(Record{}, "Arrived", "Basis"),
	cmpopts.SortSlices(func(a, b Key) bool { return a.Digest.String() < b.Digest.String() }),
}

// TestCreatedCommutes: within the horizon, it does not matter before which other
// deliveries IntegrationCreated comes.
func TestCreatedCommutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSource([]string{"toggle", "toggle", "toggle", "rotated", "deleted"})
		var all []Evidence
		for i := range rapid.IntRange(1, 10).Draw(t, "length") {
			e := s.draw(t, new(Record))
			e.At = minute(2 * i) // within the horizon
			all = append(all, e)
		}
		late := rapid.IntRange(1, len(all)).Draw(t, "late")
		first := created(rapid.SampledFrom([]Flag{Unset, No, Yes}).Draw(t, "IsEnabled"), token(7), all[late-1].At)
		want := fold(slices.Insert(slices.Clone(all), 0, first)...)
		got := fold(slices.Insert(slices.Clone(all), late, first)...)
		if diff := cmp.Diff(want, got, ignoreTimes); diff != "" {
			t.Fatalf("-created first +created after %d:\n%s", late, diff)
		}
		if diff := cmp.Diff(viewOf(&want, start), viewOf(&got, start)); diff != "" {
			t.Fatalf("-created first +created after %d:\n%s", late, diff)
		}
	})
}

// lane tells which of the things that do not concern each other an action is about.
func lane(a Action) string {
	switch a {
	case IntegrationEnabled, IntegrationDisabled:
		return "enabled"
	case IntegrationCanceled, IntegrationReinstated:
		return "canceled"
	case IntegrationApiKeyCreated:
		return "keys"
	}
	return ""
}

// TestLanesCommute: the two pairs and the keys do not concern each other, so
// that two neighbours of different lanes may arrive in either order.
func TestLanesCommute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSource([]string{"toggle", "toggle", "toggle", "rotated", "created", "probe"})
		var r Record
		var all []Evidence
		for range rapid.IntRange(2, 12).Draw(t, "length") {
			e := s.draw(t, &r)
			all = append(all, e)
			r, _ = r.Apply(e)
		}
		i := rapid.IntRange(1, len(all)-1).Draw(t, "swapped")
		a, b := &all[i-1], &all[i]
		if a.Kind != KindDelivery || b.Kind != KindDelivery || lane(a.Action) == lane(b.Action) || lane(a.Action) == "" || lane(b.Action) == "" {
			t.Skip("no neighbours of different lanes")
		}
		b.At = a.At
		want := viewOf(new(fold(all...)), s.now)
		*a, *b = *b, *a
		if diff := cmp.Diff(want, viewOf(new(fold(all...)), s.now)); diff != "" {
			t.Fatalf("-in order +swapped:\n%s", diff)
		}
	})
}

// agrees reports whether whatever is possible is as an action says.
func agrees(r *Record, a Action) bool {
	says, ok := map[Action]belief.Presents{
		IntegrationEnabled:    belief.Live | belief.CanceledEnabled,
		IntegrationDisabled:   belief.Off | belief.CanceledDisabled,
		IntegrationCanceled:   belief.CanceledEnabled | belief.CanceledDisabled,
		IntegrationReinstated: belief.Live | belief.Off,
	}[a]
	return !ok || r.Possible[belief.One][belief.Asks][belief.Untold]&^says == 0
}

// TestCopies: a copy of a pair's latest event, if the pair is as that event says,
// changes no state, ever; and within a horizon of all that came before, so that it can
// be a copy of any of that, it leaves certain what was.
func TestCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSource(append(slices.Clone(webhooks), "probe"))
		var r Record
		latest := make(map[string]Evidence)
		first := s.now
		for range rapid.IntRange(1, 12).Draw(t, "length") {
			e := s.draw(t, &r)
			r, _ = r.Apply(e)
			if e.Kind == KindDelivery && lane(e.Action) != "" {
				latest[lane(e.Action)] = e
			}
		}
		for name, e := range latest {
			reconciled := name == "enabled" && r.State != Unseen && r.State.Enabled() != (e.Action == IntegrationEnabled) ||
				name == "canceled" && r.State != Unseen && r.State.Canceled() != (e.Action == IntegrationCanceled)
			if reconciled && r.State != Deleted {
				continue
			}
			for _, minutes := range []int{0, 1, 1000} {
				again := e
				again.At = s.now.Add(time.Duration(minutes) * time.Minute)
				next, d := r.Apply(again)
				if d.To != d.From || d.Outcome == Applied || d.Outcome == Reconciled {
					t.Fatalf("a copy of %v after %d minutes: %+v", e.Action, minutes, d)
				}
				if again.At.Sub(first) > horizon || rejected(&r) || !agrees(&r, e.Action) {
					continue
				}
				after := viewOf(&next, s.now).Status
				for token, before := range viewOf(&r, s.now).Status {
					if before != Unknown && after[token] != before {
						t.Fatalf("a copy of %v after %d minutes made %v of %v", e.Action, minutes, after[token], before)
					}
				}
			}
		}
	})
}

// rejected reports whether a token was rejected: then any delivery raises the
// question whether it still is.
func rejected(r *Record) bool {
	return slices.ContainsFunc(r.Keys, func(k Key) bool { return k.Answer == Rejected })
}

// TestPermutations: an alternating history whose deliveries arrive within the
// horizon ends in the right flags, in whatever order they arrive.
func TestPermutations(t *testing.T) {
	const length = 6
	orders := 0
	for _, enabled := range []bool{true, false} {
		w, s := birth(enabled, true)
		var live func(w truth, told []sent)
		live = func(w truth, told []sent) {
			permute(told, 0, func(order []sent) {
				orders++
				var r Record
				for i, s := range order {
					r, _ = r.Apply(s.arrives(minute(i)))
				}
				if r.State.Enabled() != w.enabled || r.State.Canceled() != w.canceled {
					t.Errorf("%v of %v ends in %v", order, told, r.State)
				}
			})
			for _, a := range changes[:4] {
				if len(told) < length && w.can(a) {
					next, s, _ := w.happens(a, reading{})
					live(next, append(told[:len(told):len(told)], s))
				}
			}
		}
		live(w, []sent{s})
	}
	if orders < 5000 {
		t.Errorf("only %d orders", orders)
	}
}

// permute calls f with every order of the elements from the i-th on.
func permute(all []sent, i int, f func([]sent)) {
	if i == len(all) {
		f(all)
		return
	}
	for j := i; j < len(all); j++ {
		order := slices.Clone(all)
		order[i], order[j] = order[j], order[i]
		permute(order, i+1, f)
	}
}

// TestOneCurrent: there is at most one current token, no token is there twice,
// what was superseded no delivery promotes, and the enterprise never changes.
func TestOneCurrent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Record
		s := newSource(everything)
		for range rapid.IntRange(1, 25).Draw(t, "length") {
			e := s.draw(t, &r)
			if rapid.IntRange(0, 9).Draw(t, "forged") == 0 {
				e.Enterprise.ID = "another"
			}
			next, _ := r.Apply(e)
			if fault := unsound(&r, &next, e); fault != "" {
				t.Fatal(fault)
			}
			r = next
		}
	})
}

// unsound says what is wrong with a step that no evidence may lead to.
func unsound(before, after *Record, e Evidence) string {
	emptied := e.Kind == KindForget || e.Kind == KindJoin && e.Record == "" // the second: what was there is under another spelling
	if emptied && (before.ID == "" || e.Integration.ID == "" || e.Integration.ID == before.ID) {
		if !reflect.DeepEqual(Record{ID: after.ID, Rules: after.Rules, Version: before.Version + 1, Generation: before.Generation}, *after) {
			return "something is left where nothing should be"
		}
		return ""
	}
	if e.Kind == KindName && before.Alias == "" && after.Alias != "" { // what was there goes on under its name
		want := Record{ID: after.ID, Rules: after.Rules, Version: before.Version + 1, Generation: before.Generation + 1, Alias: e.Owner}
		if !reflect.DeepEqual(want, *after) {
			return "more than a name is left"
		}
		return ""
	}
	current := 0
	for i, k := range after.Keys {
		if k.Status == Current {
			current++
		}
		if other, _ := after.Key(k.Digest); other != k || k.Digest.IsZero() {
			return "a token is there twice, or none is"
		}
		if was, ok := before.Key(k.Digest); ok && e.Kind == KindDelivery && i < len(before.Keys) &&
			(was.Status == Superseded || was.Status == Revoked) && (k.Status == Current || k.Status == Candidate) {
			return "a delivery promoted a token that was given up"
		}
	}
	switch {
	case current > 1:
		return "two tokens are current"
	case len(after.Operations) > 16:
		return "too many operations"
	case len(after.Keys) > MaxKeys:
		return "too many tokens"
	case before.Enterprise.ID != "" && after.Enterprise.ID != before.Enterprise.ID && (e.Kind != KindProbe || slices.ContainsFunc(before.Keys, func(k Key) bool { return k.Proved != 0 })):
		return "the enterprise changed"
	case before.ID != "" && after.ID != before.ID:
		return "the integration changed"
	case after.Version != before.Version+1:
		return "the version does not count"
	case before.State == Deleted && after.State != Deleted && e.Kind != KindImport:
		return "it came back from deletion"
	case e.Kind == KindProbe && e.Generation != before.Generation && len(before.Keys) > 0 && !sameButCounts(before, after):
		return "an answer counted that a delivery had overtaken"
	}
	return ""
}

// sameButCounts reports whether two records differ at most in their versions, and in what
// was told when: every entry tells its verdict.
func sameButCounts(a, b *Record) bool {
	c := *b
	c.Version, c.LastTold = a.Version, a.LastTold
	return reflect.DeepEqual(*a, c)
}

// TestRecordIsBounded delivers a hundred thousand times to one integration.
func TestRecordIsBounded(t *testing.T) {
	const limit = 8 << 10
	var r Record
	largest, b := 0, make([]byte, 0, limit)
	for i := range 100_000 {
		// A storm, in which every token is new and toggles come in runs.
		now := start.Add(time.Duration(i) * 100 * time.Millisecond)
		e := delivery(changes[i/7%4], now)
		switch i % 50 {
		case 0:
			e = created(Yes, token(i%30000), now)
		case 1, 2:
			e = rotated(token(i%30000), now)
		}
		r, _ = r.Apply(e)
		if i%100 == 0 {
			largest = max(largest, len(AppendRecord(b[:0], r)))
		}
	}
	if largest > limit || len(r.Keys) != MaxKeys {
		t.Errorf("the record took %d bytes, with %d tokens", largest, len(r.Keys))
	}
	t.Logf("at most %d bytes", largest)
}
