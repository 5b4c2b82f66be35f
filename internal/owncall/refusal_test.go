package owncall_test

import (
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/owncall"
)

// TestRefusals: a 401 is about the token between 200s of two other integrations within a
// minute, if its operation worked before.
func TestRefusals(t *testing.T) {
	type heard struct {
		id, operation string
		second        int
		works         bool
	}
	for name, c := range map[string]struct {
		story []heard
		about int
	}{
		"between two others":             {[]heard{{"a", "x", 0, true}, {"b", "y", 10, true}, {"a", "x", 20, false}, {"c", "y", 30, true}}, 1},
		"the same other twice":           {[]heard{{"a", "x", 0, true}, {"b", "y", 10, true}, {"a", "x", 20, false}, {"b", "y", 30, true}}, 0},
		"nobody before":                  {[]heard{{"a", "x", 0, true}, {"a", "x", 20, false}, {"c", "y", 30, true}}, 0},
		"too long before":                {[]heard{{"a", "x", 0, true}, {"b", "y", 1, true}, {"a", "x", 90, false}, {"c", "y", 95, true}}, 0},
		"too long after":                 {[]heard{{"a", "x", 0, true}, {"b", "y", 10, true}, {"a", "x", 20, false}, {"c", "y", 90, true}}, 0},
		"an operation that never worked": {[]heard{{"a", "z", 0, true}, {"b", "y", 10, true}, {"a", "x", 20, false}, {"c", "y", 30, true}}, 0},
		"its own 200 between":            {[]heard{{"a", "x", 0, true}, {"b", "y", 10, true}, {"a", "x", 20, false}, {"a", "z", 25, true}, {"c", "y", 30, true}}, 0},
		"began before the 401 came":      {[]heard{{"a", "x", 0, true}, {"b", "y", 10, true}, {"a", "x", 20, false}, {"c", "y", 21, true}}, 0},
		"no operation is named":          {[]heard{{"a", "", 0, true}, {"b", "y", 10, true}, {"a", "", 20, false}, {"c", "y", 30, true}}, 0},
	} {
		var trials owncall.Trials
		about := 0
		for _, h := range c.story {
			began := start.Add(time.Duration(h.second) * time.Second)
			if h.works {
				about += len(trials.Heard(h.id, h.operation, began))
			} else {
				trials.Refused(owncall.Refusal{Integration: h.id, Operation: h.operation, Began: began, Answered: began.Add(time.Second)})
			}
		}
		if about != c.about {
			t.Errorf("%s: %d, want %d", name, about, c.about)
		}
	}
}
