package lifecycle_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// TestApplyHoldsWhatItWasTold: names follow the latest delivery that carries
// them; what identifies an integration is completed and never replaced.
func TestApplyHoldsWhatItWasTold(t *testing.T) {
	named := func(e Evidence, integration, enterprise, service string) Evidence {
		e.Integration.Name, e.Enterprise.Name, e.Service.Name = integration, enterprise, service
		return e
	}
	birth := named(created(Yes, token(0), minute(1)), "", "Hotel", "")
	birth.Enterprise.ID, birth.Service.ID = "", "s"
	birth.CreatedUtc = minute(-5)
	r := fold(named(delivery(IntegrationEnabled, minute(0)), "First", "", ""), birth)
	want := Record{
		ID: integration, Rules: 7, Version: 2, Generation: 2, Arrived: minute(1), Basis: Basis{KindDelivery, IntegrationCreated, minute(1)},
		Name: "First", Enterprise: Named{Name: "Hotel"}, Service: Named{ID: "s"}, CreatedUtc: minute(-5), Created: true,
		EnabledAt: minute(0), CanceledAt: minute(1),
		State: CreatedEnabled, Enabled: Pair{Since: minute(1), Early: []Instant{minute(0)}},
		Keys: []Key{{Digest: token(0), Status: Current, From: IntegrationCreated, Since: minute(1), At: minute(1)}},
	}
	want.Belief, want.Possible = r.Belief, r.Possible
	if diff := cmp.Diff(want, r); diff != "" || r.Belief.IsZero() {
		t.Errorf("-want +got:\n%s", diff)
	}
	// A copy completes: the enterprise's identifier, its name, the service's name.
	again := named(created(Yes, token(0), minute(2)), "Second", "Grand Hotel", "Rooms")
	again.Service.ID = "s"
	r = then(r, again)
	if r.Name != "Second" || r.Enterprise != (Named{hotel, "Grand Hotel"}) || r.Service != (Named{"s", "Rooms"}) || r.CreatedUtc != minute(-5) {
		t.Errorf("after a copy: %q, %v, %v, %v", r.Name, r.Enterprise, r.Service, r.CreatedUtc)
	}
	// One without names leaves them; another service's name is not this one's.
	again = named(again, "", "", "Parking")
	again.Service.ID = "another"
	if r = then(r, again); r.Name != "Second" || r.Enterprise.Name != "Grand Hotel" || r.Service != (Named{"s", "Rooms"}) {
		t.Errorf("after another copy: %q, %v, %v", r.Name, r.Enterprise, r.Service)
	}
	// After the deletion a Created completes the record, and no more.
	deletion := named(delivery(IntegrationDeleted, minute(9)), "Third", "", "")
	deletion.DeletedUtc = minute(8)
	r = fold(deletion, named(birth, "Fourth", "Hotel", ""))
	want = Record{
		ID: integration, Rules: 7, Version: 2, Generation: 2, Arrived: minute(1), Basis: Basis{KindDelivery, IntegrationDeleted, minute(9)},
		Name: "Third", Enterprise: Named{Name: "Hotel"}, Service: Named{ID: "s"}, CreatedUtc: minute(-5), DeletedUtc: minute(8), DeletedAt: minute(9), Created: true,
		State: Deleted,
		Keys:  []Key{{Digest: token(0), Status: Revoked, From: IntegrationCreated, Since: minute(1), Until: minute(1), At: minute(1)}},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// An answer, and an import, complete too.
	r = fold(rotated(token(0), minute(0)))
	accepted := named(probe(&r, token(0), Accepted, minute(1)), "", "Hotel", "Rooms")
	accepted.Service.ID = "s"
	if r = then(r, accepted); r.Enterprise != (Named{hotel, "Hotel"}) || r.Service != (Named{"s", "Rooms"}) {
		t.Errorf("after an answer: %v, %v", r.Enterprise, r.Service)
	}
	r = fold(named(imported(Yes, token(0), minute(0)), "By hand", "Hotel", ""))
	if r.Name != "By hand" || r.Enterprise != (Named{hotel, "Hotel"}) || r.Basis != (Basis{KindImport, ActionUnknown, minute(0)}) {
		t.Errorf("after an import: %q, %v, %+v", r.Name, r.Enterprise, r.Basis)
	}
	if r = then(r, named(imported(Yes, token(0), minute(1)), "", "Grand Hotel", "")); r.Enterprise.Name != "Grand Hotel" {
		t.Errorf("after a second import: %v", r.Enterprise)
	}
}

// TestOtherKinds: evidence that does not concern the state.
func TestOtherKinds(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	for name, c := range map[string]struct {
		e       Evidence
		outcome Outcome
		want    func(*Record)
	}{
		"an action of tomorrow": {delivery(ActionUnknown, minute(1)), Unrecognized, func(r *Record) { r.Generation++; r.Arrived = minute(1) }},
		"a kind of tomorrow":    {Evidence{Kind: 99}, Unrecognized, func(*Record) {}},
		"no kind":               {Evidence{}, Unrecognized, func(*Record) {}},
		"a restored record":     {Evidence{Kind: KindRestore}, Unrecognized, func(*Record) {}},
		"erased":                {Evidence{Kind: KindErase}, Applied, func(*Record) {}},
		"handed out":            {Evidence{Kind: KindIssue}, Applied, func(*Record) {}},
		"asked":                 {Evidence{Kind: KindProbeRequest, At: minute(1)}, Applied, func(r *Record) { r.Generation++ }},
		"forgotten":             {Evidence{Kind: KindForget}, Applied, func(r *Record) { *r = Record{ID: r.ID, Rules: r.Rules, Version: r.Version, Generation: r.Generation} }},
	} {
		want := r
		want.Version++
		c.want(&want)
		got, d := r.Apply(c.e)
		if diff := cmp.Diff(want, got); diff != "" || d.Outcome != c.outcome || d.Alarm {
			t.Errorf("%s: %+v (-want +got)\n%s", name, d, diff)
		}
	}
	// Only a delivery has an action, whatever other evidence holds.
	e := imported(Yes, token(1), minute(1))
	e.Action = IntegrationCreated
	if next, d := r.Apply(e); d.Action != ActionUnknown || next.Keys[1].From != ActionUnknown {
		t.Errorf("an import with an action: %+v, %+v", d, next.Keys)
	}
}

// TestFencing: of a probe, and of an own answer that tells one, the generation
// counts; of one that does not, the time.
func TestFencing(t *testing.T) {
	r := fold(created(Yes, token(0), minute(10)), delivery(IntegrationEnabled, minute(11)))
	answer := func(kind Kind, generation uint64, began int) Evidence {
		e := own(token(0), Accepted, minute(began), minute(20))
		e.Kind, e.Generation = kind, generation
		return e
	}
	for name, c := range map[string]struct {
		e      Evidence
		fenced bool
	}{
		"a probe of now":                           {answer(KindProbe, 2, 12), false},
		"a probe of now, the clock set back":       {answer(KindProbe, 2, 5), false},
		"a probe from before":                      {answer(KindProbe, 1, 12), true},
		"a probe from before everything":           {answer(KindProbe, 0, 12), true},
		"an own answer of now":                     {answer(KindReport, 2, 12), false},
		"an own answer of now, the clock set back": {answer(KindReport, 2, 5), false},
		"an own answer from before":                {answer(KindReport, 1, 12), true},
		"an own answer without a generation":       {answer(KindReport, 0, 12), false},
		"one from before":                          {answer(KindReport, 0, 10), true},
		"one of the moment of the delivery":        {answer(KindReport, 0, 11), true},
	} {
		if _, d := r.Apply(c.e); (d.Outcome == Fenced) != c.fenced || !c.fenced && d.Outcome != Applied {
			t.Errorf("%s: %v", name, d.Outcome)
		}
	}
	// The latest request is the one that counts, unless a clock was wrong.
	r = then(r, answer(KindProbe, 2, 15))
	for began, outcome := range map[int]Outcome{14: Fenced, 15: Applied, 16: Applied} {
		if _, d := r.Apply(answer(KindProbe, 2, began)); d.Outcome != outcome {
			t.Errorf("a request of minute %d after one of minute 15: %v", began, d.Outcome)
		}
	}
	ahead := answer(KindProbe, 2, 1_000_000)
	ahead.At = ahead.Began
	if _, d := then(r, ahead).Apply(answer(KindProbe, 2, 16)); d.Outcome != Applied {
		t.Errorf("after one of a clock that was ahead: %v", d.Outcome)
	}
}

// TestUpgrade: a record that earlier rules folded goes on from what it was, and its
// journal folds to it from any beginning.
func TestUpgrade(t *testing.T) {
	text, err := os.ReadFile("testdata/records/format1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		r, err := ParseRecord([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		upgrade, outdated := r.Upgrade(minute(500))
		if !outdated {
			t.Errorf("up to date already: %s", line)
		}
		upgraded, d := r.Apply(upgrade)
		if d.Outcome != Applied || d.From != d.To || !upToDate(&upgraded) || upgraded.Version != r.Version+1 {
			t.Errorf("%+v, %+v", d, upgraded)
		}
		for _, k := range r.Keys {
			if before, after := verdict(&r, k.Digest, minute(500)), verdict(&upgraded, k.Digest, minute(500)); before != after {
				t.Errorf("the upgrade changed a verdict from %+v to %+v", before, after)
			}
		}
		if again, _ := (Record{ID: r.ID, Version: r.Version, Rules: 2}).Apply(upgrade); !cmp.Equal(again, upgraded) {
			t.Errorf("from another beginning: %s", cmp.Diff(upgraded, again))
		}
	}
	r := fold(created(Yes, token(0), minute(0)))
	if !upToDate(&r) {
		t.Error("what the rules of now folded is outdated")
	}
	for name, text := range map[string]string{"nothing": "", "no record": "{", "another's": `{"Format":2,"ID":"another","Version":3}`} {
		if next, d := r.Apply(Evidence{Kind: KindUpgrade, Record: text}); d.Outcome != Unrecognized || next.State != r.State {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func upToDate(r *Record) bool {
	_, outdated := r.Upgrade(0)
	return !outdated
}
