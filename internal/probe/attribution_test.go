package probe

import (
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// at is a time of a scenario, by its seconds.
func at(seconds int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// heard is an answer: of whom, when the request began, and what; 401s take a second.
type heard struct {
	id     string
	second int
	works  bool
	silent bool // the token's verdict was not Valid
}

// TestAttribution: a 401 is about its token if another one got a 200 shortly before and
// shortly after, and nobody else a surprising 401 between.
func TestAttribution(t *testing.T) {
	for name, c := range map[string]struct {
		scenario []heard
		settled  string // who is settled in the end
		again    bool   // the token is to be asked again
		trouble  bool
	}{
		"between two 200s":                     {scenario: []heard{{"w", 0, true, false}, {"a", 10, false, false}, {"w", 20, true, false}}, settled: "a"},
		"of two witnesses":                     {scenario: []heard{{"v", 0, true, false}, {"a", 10, false, false}, {"w", 20, true, false}}, settled: "a"},
		"nobody before":                        {scenario: []heard{{"a", 10, false, false}, {"w", 20, true, false}}, again: true},
		"too long before":                      {scenario: []heard{{"w", 0, true, false}, {"a", 70, false, false}, {"w", 80, true, false}}, again: true},
		"asked again, and then":                {scenario: []heard{{"a", 10, false, false}, {"w", 20, true, false}, {"a", 25, false, false}, {"w", 30, true, false}}, settled: "a"},
		"too long after":                       {scenario: []heard{{"w", 0, true, false}, {"a", 10, false, false}, {"w", 71, true, false}}, again: true},
		"a 200 under way meanwhile":            {scenario: []heard{{"w", 0, true, false}, {"a", 10, false, false}, {"w", 11, true, false}}},
		"its own 200 is no witness":            {scenario: []heard{{"a", 0, true, false}, {"a", 10, false, false}, {"a", 20, true, false}}},
		"another one's 401 between":            {scenario: []heard{{"w", 0, true, false}, {"a", 10, false, false}, {"b", 15, false, false}, {"w", 20, true, false}}, again: true},
		"another one's 401 just before":        {scenario: []heard{{"w", 0, true, false}, {"b", 5, false, false}, {"a", 10, false, false}, {"w", 20, true, false}}, again: true},
		"three at once":                        {scenario: []heard{{"w", 0, true, false}, {"a", 10, false, false}, {"b", 15, false, false}, {"c", 20, false, false}}, trouble: true},
		"three that were not Valid":            {scenario: []heard{{"w", 0, true, false}, {"a", 10, false, true}, {"b", 15, false, true}, {"c", 20, false, true}}, again: true},
		"three over an hour":                   {scenario: []heard{{"w", 0, true, false}, {"a", 10, false, false}, {"b", 1800, false, false}, {"c", 3600, false, false}}, again: true},
		"three with a 200 between":             {scenario: []heard{{"w", 0, true, false}, {"a", 10, false, false}, {"b", 15, false, false}, {"w", 17, true, false}, {"c", 20, false, false}}, again: true},
		"the only two that worked":             {scenario: []heard{{"a", 0, true, false}, {"b", 1, true, false}, {"a", 10, false, false}, {"b", 15, false, false}}, trouble: true},
		"two of three that worked":             {scenario: []heard{{"a", 0, true, false}, {"b", 1, true, false}, {"c", 2, true, false}, {"a", 10, false, false}, {"b", 15, false, false}}, again: true},
		"trouble, and over":                    {scenario: []heard{{"a", 0, true, false}, {"b", 1, true, false}, {"a", 10, false, false}, {"b", 15, false, false}, {"a", 80, true, false}}},
		"the same one three times is no fleet": {scenario: []heard{{"w", 0, true, false}, {"v", 1, true, false}, {"a", 10, false, false}, {"a", 20, false, false}, {"a", 30, false, false}}},
	} {
		a := newAttribution()
		settled := ""
		for _, h := range c.scenario {
			if !h.works {
				a.reject(h.id, lifecycle.Digest{}, 1, !h.silent, at(h.second), at(h.second+1))
				continue
			}
			if q, _ := a.accept(h.id, at(h.second)); q != nil {
				settled = q.id
			}
		}
		if settled != c.settled || a.trouble != c.trouble {
			t.Errorf("%s: settled %q, trouble %v; want %q, %v", name, settled, a.trouble, c.settled, c.trouble)
		}
		if again := a.inquiry != nil && a.inquiry.answered.IsZero(); again != c.again {
			t.Errorf("%s: to be asked again %v, want %v", name, again, c.again)
		}
	}
}

// TestInquiryEnds: one that leads nowhere is given up, so that the next can begin.
func TestInquiryEnds(t *testing.T) {
	a := newAttribution()
	a.reject("a", lifecycle.Digest{}, 1, true, at(0), at(1))
	if id := a.expire(at(100)); id != "" || a.inquiry == nil {
		t.Errorf("given up after 100 s: %q", id)
	}
	a.reject("b", lifecycle.Digest{}, 1, true, at(100), at(101))
	if a.inquiry.id != "a" {
		t.Error("two at a time")
	}
	if id := a.expire(at(1 + int(patience/time.Second) + 1)); id != "a" || a.inquiry != nil {
		t.Errorf("not given up: %q", id)
	}
}

// TestNobody: that no token works is told once, five minutes after the first 401.
func TestNobody(t *testing.T) {
	a := newAttribution()
	a.accept("a", at(0))
	if a.nobody(at(10000)) {
		t.Error("told although all is well")
	}
	a.reject("a", lifecycle.Digest{}, 1, true, at(10000), at(10001))
	for second, want := range map[int]bool{10200: false, 10302: true} {
		b := a
		if got := b.nobody(at(second)); got != want {
			t.Errorf("after %d s: told %v", second-10000, got)
		}
		if b.nobody(at(second)) {
			t.Error("told twice")
		}
	}
}

// TestTouchedByATroubleBeforeThis: what a trouble touched begins no other one before it was
// answered 200 again: it is attributed like any other 401.
func TestTouchedByATroubleBeforeThis(t *testing.T) {
	a := newAttribution()
	for _, id := range []string{"a", "b", "c"} {
		a.touched[id] = true
	}
	reject := func(id string, second int) bool {
		return a.reject(id, lifecycle.Digest{}, 1, true, at(second), at(second+1))
	}
	a.accept("w", at(0))
	if reject("a", 10) || reject("b", 11) || reject("c", 12) {
		t.Error("those that a trouble touched begin another one")
	}
	for i, id := range []string{"a", "b", "c"} {
		a.accept(id, at(20+i))
	}
	if reject("a", 30) || reject("b", 31) || !reject("c", 32) {
		t.Error("those that have worked since do not")
	}
}
