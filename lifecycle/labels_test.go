package lifecycle_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

func TestNewLabels(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, pairs := range []map[string]string{
		nil, {"a": ""}, {"a": "1"}, {long: long}, {"Example.a_b-c": "X.y_z-1"}, {"example.com/tenant": "4711"}, {"b": "2", "a": "1"},
	} {
		l, err := NewLabels(pairs)
		if err != nil {
			t.Errorf("%v: %v", pairs, err)
		}
		got := maps.Collect(l.All())
		if len(got) != len(pairs) || len(pairs) > 0 && !maps.Equal(got, pairs) {
			t.Errorf("%v became %v", pairs, got)
		}
		for key, value := range pairs {
			if got, ok := l.Get(key); !ok || got != value {
				t.Errorf("%v: Get(%q) = %q, %v", pairs, key, got, ok)
			}
		}
		if _, ok := l.Get("other"); ok {
			t.Errorf("%v has a label that it has not", pairs)
		}
	}
	many := map[string]string{}
	for i := range 17 {
		many[fmt.Sprint(i)] = ""
	}
	bad := []map[string]string{many, {"a": "-a"}, {"a": "a."}, {"a": long + "a"}, {long + "a": ""}, {"a": "é"}, {"a": "a b"}, {"a": "a,b"}, {"a": "a=b"}, {"a": "a\nb"}, {"a": `"`}}
	for _, key := range []string{"", "a=b", "a,b", "/a", "a/", "a/b/c", "A.b/c", "a..b/c", "a_b/c", "-a", "a b", "a-"} {
		bad = append(bad, map[string]string{key: "v"})
	}
	for _, pairs := range bad {
		if l, err := NewLabels(pairs); err == nil || l != "" {
			t.Errorf("%q is taken for labels: %q", pairs, l)
		}
	}
	if l, _ := NewLabels(map[string]string{"b": "2", "a": ""}); l != "a=,b=2" {
		t.Errorf("not in order: %q", l)
	}
}

// Labels are set and removed one by one, stay through everything that happens, and say
// nothing about the token.
func TestLabel(t *testing.T) {
	say := func(set Labels, unlabel string) Evidence {
		return Evidence{Kind: KindLabel, At: minute(9), Integration: Named{ID: integration}, Labels: set, Unlabel: unlabel}
	}
	r := fold(created(Yes, token(1), minute(0)))
	before := r.Verdict(token(1), &Policy{}, minute(10))
	next := func(e Evidence, want Outcome, labels Labels) {
		t.Helper()
		after, d := r.Apply(e)
		if d.Outcome != want || after.Labels != labels || after.Generation != r.Generation && e.Kind == KindLabel {
			t.Errorf("%v, %q; want %v, %q", d.Outcome, after.Labels, want, labels)
		}
		r = after
	}
	next(say("b=2", ""), Applied, "b=2")
	next(say("a=1,c=", ""), Applied, "a=1,b=2,c=")
	next(say("a=2", "a,b,z"), Applied, "a=2,c=")
	next(say("", "z"), Duplicate, "a=2,c=")
	after := r.Verdict(token(1), &Policy{}, minute(10))
	if after.Labels != "a=2,c=" {
		t.Errorf("the verdict says %q", after.Labels)
	}
	if after.Labels = ""; cmp.Diff(before, after) != "" {
		t.Errorf("labels change the verdict: %s", cmp.Diff(before, after))
	}
	many := map[string]string{}
	for i := range 15 {
		many[fmt.Sprint("k", i)] = ""
	}
	over, err := NewLabels(many)
	if err != nil {
		t.Fatal(err)
	}
	next(say(over, ""), Conflict, "a=2,c=")
	next(delivery(IntegrationDeleted, minute(11)), Applied, "a=2,c=")
	next(say("d=1", ""), Applied, "a=2,c=,d=1")
	back, err := ParseRecord(AppendRecord(nil, r))
	if err != nil || back.Labels != r.Labels {
		t.Errorf("read back: %q, %v", back.Labels, err)
	}
	next(Evidence{Kind: KindForget, At: minute(12), Integration: Named{ID: integration}}, Applied, "")
}

// What an import brings along is added to what is there. An import that is refused adds
// nothing, and labels that find no room cost nothing but themselves.
func TestImportLabels(t *testing.T) {
	imported := func(labels Labels, enterprise string) Evidence {
		return Evidence{Kind: KindImport, At: minute(1), Integration: Named{ID: integration}, Enterprise: Named{ID: enterprise}, Token: token(1), Labels: labels}
	}
	r, _ := (Record{}).Apply(imported("a=1", hotel))
	r, _ = r.Apply(imported("b=2", hotel))
	if r.Labels != "a=1,b=2" {
		t.Errorf("labels are %q", r.Labels)
	}
	if refused, d := r.Apply(imported("c=3", "another")); d.Outcome != Conflict || refused.Labels != r.Labels {
		t.Errorf("%v, and labels %q", d, refused.Labels)
	}
	many := map[string]string{}
	for i := range 16 {
		many[fmt.Sprint("k", i)] = ""
	}
	over, _ := NewLabels(many)
	e := imported(over, hotel)
	e.Token = token(2)
	if full, d := r.Apply(e); d.Outcome != Applied || !d.Alarm || d.Cause != "too many labels" || full.Labels != r.Labels {
		t.Errorf("%+v, and labels %q", d, full.Labels)
	} else if k, _ := full.CurrentKey(); k.Digest != token(2) {
		t.Error("the import was lost")
	}
}

// An integration takes the place of one other, once, and gets the labels that it lacks.
func TestSucceeded(t *testing.T) {
	word := Evidence{Kind: KindSucceeded, At: minute(9), Integration: Named{ID: integration}, Succeeds: "former", Labels: "a=1,b=2"}
	own := fold(created(Yes, token(1), minute(0)), Evidence{Kind: KindLabel, At: minute(1), Integration: Named{ID: integration}, Labels: "a=own"})
	r, d := own.Apply(word)
	if d.Outcome != Applied || r.Succeeds != "former" || r.Labels != "a=own,b=2" || r.Generation != own.Generation {
		t.Errorf("%+v, %+v", d, r)
	}
	word.Succeeds, word.Labels = "another", "c=3"
	if again, d := r.Apply(word); d.Outcome != Duplicate || again.Succeeds != "former" || again.Labels != r.Labels {
		t.Errorf("a second time: %+v, %+v", d, again)
	}
	deleted := fold(created(Yes, token(1), minute(0)), delivery(IntegrationDeleted, minute(1)))
	if gone, d := deleted.Apply(word); d.Outcome != Stale || gone.Succeeds != "" {
		t.Errorf("what is deleted: %+v, %+v", d, gone)
	}
}
