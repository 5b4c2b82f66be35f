package lifecycle_test

import (
	"testing"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

const ours = "nameless-0123"

// connected returns a nameless integration that a person connected, and that Mews confirmed
// if proved.
func connected(k int, proved bool) Record {
	r, _ := (Record{}).Apply(Evidence{
		Kind: KindImport, At: minute(0), Integration: Named{ID: ours}, Enterprise: Named{ID: hotel}, Token: token(k), IsEnabled: Yes, Labels: "tenant=4711",
	})
	if proved {
		r, _ = r.Apply(Evidence{Kind: KindProbe, At: minute(0), Began: minute(0), Integration: Named{ID: ours}, Enterprise: Named{ID: hotel}, Token: token(k), Answer: Accepted, Generation: r.Generation})
	}
	return r
}

// naming returns evidence about the integration that brings a nameless one's record along.
func naming(e Evidence, n Record) Evidence {
	e.Integration.ID, e.Record = integration, string(AppendRecord(nil, n))
	return e
}

// A nameless integration that gets a name goes on under it as if it had been known under it:
// verdict, proof, enterprise and labels.
func TestNaming(t *testing.T) {
	proving := &Policy{ProveSince: 1}
	for _, test := range []struct {
		name  string
		event Evidence
	}{
		{"IntegrationCreated", created(Yes, token(1), minute(60))},
		{"IntegrationApiKeyCreated", rotated(token(1), minute(60))},
		{"an import", Evidence{Kind: KindImport, At: minute(60), Enterprise: Named{ID: hotel}, Token: token(1), IsEnabled: Yes}},
		{"by hand", Evidence{Kind: KindName, At: minute(60), Token: token(1)}},
	} {
		for _, proved := range []bool{false, true} {
			n := connected(1, proved)
			want := n.Verdict(token(1), proving, minute(61))
			r, d := (Record{ID: integration}).Apply(naming(test.event, n))
			got := r.Verdict(token(1), proving, minute(61))
			if d.Outcome == Conflict || got.Status != want.Status || got.Reason != want.Reason || got.Labels != "tenant=4711" || got.Enterprise != hotel || got.Integration != integration {
				t.Errorf("%s, proved %v: %+v, verdict %+v, want %+v", test.name, proved, d, got, want)
			}
			back, err := ParseEvidence(AppendEvidence(nil, naming(test.event, n)))
			if err != nil {
				t.Fatal(err)
			}
			if folded, _ := (Record{ID: integration}).Apply(back); string(AppendRecord(nil, folded)) != string(AppendRecord(nil, r)) {
				t.Errorf("%s: the record is not the fold of its journal", test.name)
			}
			alias, d := n.Apply(Evidence{Kind: KindName, At: minute(60), Integration: Named{ID: ours}, Owner: integration})
			if d.Outcome != Applied || alias.Alias != integration || len(alias.Keys) > 0 || alias.Labels != "" || alias.Version != n.Version+1 {
				t.Errorf("what is left: %+v, %+v", d, alias)
			}
			if late, d := alias.Apply(Evidence{Kind: KindProbe, At: minute(61), Began: minute(59), Integration: Named{ID: ours}, Token: token(1), Answer: Rejected}); d.Outcome != Fenced || late.Alias != integration {
				t.Errorf("an answer that comes late: %+v", d)
			}
		}
	}
}

// What an integration has of its own stays when it takes over what was known without its name.
func TestNamingKeepsWhatIsKnown(t *testing.T) {
	policy := &Policy{}
	disabled := fold(delivery(IntegrationDisabled, minute(30)))
	r, _ := disabled.Apply(naming(created(Yes, token(1), minute(60)), connected(1, true)))
	if v := r.Verdict(token(1), policy, minute(61)); v.Status != Invalid || v.Reason != ReasonDisabled {
		t.Errorf("a Disabled that came first is lost: %+v", v)
	}
	labelled := fold(created(Yes, token(2), minute(30)), Evidence{Kind: KindLabel, At: minute(31), Integration: Named{ID: integration}, Labels: "tenant=own,x=1"})
	r, _ = labelled.Apply(naming(rotated(token(1), minute(90)), connected(1, true)))
	if k, _ := r.CurrentKey(); k.Digest != token(1) || k.Proved == 0 || r.Labels != "tenant=own,x=1" {
		t.Errorf("after a rotation the current token is %v, the labels %q", k, r.Labels)
	}
	deleted := fold(created(Yes, token(2), minute(30)), delivery(IntegrationDeleted, minute(40)))
	r, _ = deleted.Apply(naming(rotated(token(1), minute(90)), connected(1, true)))
	if v := r.Verdict(token(1), policy, minute(91)); v.Status != Invalid || v.Reason != ReasonDeleted {
		t.Errorf("a token of what was deleted: %+v", v)
	}
}

// Evidence that contradicts what is known takes nothing over.
func TestNamingAnotherEnterprise(t *testing.T) {
	other := created(Yes, token(1), minute(60))
	other.Enterprise.ID = "another"
	for name, r := range map[string]Record{"unknown": {ID: integration}, "known": fold(created(Yes, token(2), minute(30)))} {
		next, d := r.Apply(naming(other, connected(1, true)))
		if k, held := next.Key(token(1)); d.Outcome != Conflict || !d.Alarm || held && k.Claim == "" || next.Labels != "" {
			t.Errorf("%s: %+v, %+v", name, d, next)
		}
	}
	word := Evidence{Kind: KindName, At: minute(60), Token: token(1)}
	elsewhere, _ := (Record{}).Apply(Evidence{Kind: KindImport, Integration: Named{ID: integration}, Enterprise: Named{ID: "another"}, Token: token(2)})
	if next, d := elsewhere.Apply(naming(word, connected(1, true))); d.Outcome != Conflict || next.Labels != "" {
		t.Errorf("by hand: %+v", d)
	}
}

// By a person's word two tokens are candidates, unless one is known to be refused.
func TestNamingByHandBesideAnotherToken(t *testing.T) {
	word := Evidence{Kind: KindName, At: minute(60), Token: token(1), By: "desk"}
	own := fold(rotated(token(2), minute(30)))
	r, d := own.Apply(naming(word, connected(1, true)))
	if one, _ := r.Key(token(1)); d.Outcome != Applied || one.Status != Candidate || one.Proved == 0 {
		t.Errorf("%+v, %+v", d, one)
	}
	n := connected(1, true)
	n, _ = n.Apply(Evidence{Kind: KindProbe, At: minute(40), Began: minute(40), Integration: Named{ID: ours}, Token: token(1), Answer: Rejected, Generation: n.Generation})
	r, _ = own.Apply(naming(word, n))
	if one, _ := r.Key(token(1)); one.Status != Superseded {
		t.Errorf("the token that was refused is %v", one.Status)
	}
	if two, ok := r.CurrentKey(); !ok || two.Digest != token(2) || !r.State.Live() {
		t.Errorf("the token in use is %v, in the state %v", two.Digest, r.State)
	}
}
