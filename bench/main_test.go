package main

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// claim is what docs/performance.md says of a way: its time is at most so many times that
// of the table's floor.
type claim struct {
	title, way string
	most       float64
	measure    func(time.Duration) (table, error)
}

// claims has nothing that depends on a disk.
var claims = []claim{
	{"Decoding an IntegrationCreated", "keyrack", .5, func(d time.Duration) (table, error) {
		return decoding(d, "Decoding an IntegrationCreated", webhook(lifecycle.IntegrationCreated, 1), hotelID(1), tokenText(1))
	}},
	{"Decoding a toggle", "keyrack", .6, func(d time.Duration) (table, error) {
		return decoding(d, "Decoding a toggle", webhook(lifecycle.IntegrationDisabled, 1), hotelID(1), "")
	}},
	{"Look-up among 1000 tokens", "keyrack, a whole Check", 3, func(d time.Duration) (table, error) {
		tables, err := lookUps(d, 1000)
		if err != nil {
			return table{}, err
		}
		return tables[0], nil
	}},
	{"Delivery of an IntegrationCreated", "keyrack", 4, delivered(0)},
	{"Delivery of a toggle", "keyrack", 6, delivered(1)},
	{"HTTP over loopback", "keyrack", 3, overHTTP},
}

func delivered(i int) func(time.Duration) (table, error) {
	return func(d time.Duration) (table, error) {
		tables, err := deliveries(d)
		if err != nil {
			return table{}, err
		}
		return tables[i], nil
	}
}

// missed measures until the claim is met by half, and returns an error if it never is. What
// else the machine does comes and goes, and it makes the shortest batch longer less than
// any other: a claim falls where the median and the shortest batch are beyond twice of it
// in each of so many measurements.
func (c *claim) missed(d time.Duration, tries int) error {
	for try := 1; ; try++ {
		t, err := c.measure(d)
		if err != nil {
			return err
		}
		switch r := t.row(c.way); {
		case r.median == 0:
			return errors.New("no such row")
		case min(r.median, r.least) <= 2*c.most:
			return nil
		case try == tries:
			return fmt.Errorf("%.2f times the floor in the median and %.2f at best, and more than twice the %v that are claimed %d times in turn: go run ./bench",
				r.median, r.least, c.most, tries)
		}
	}
}

// TestClaims measures in short. Under the race detector, which slows some code down more
// than other, it looks at answers alone.
func TestClaims(t *testing.T) {
	for _, c := range claims {
		t.Run(c.title, func(t *testing.T) {
			if testkit.Race {
				c.most = math.Inf(1)
			}
			if err := c.missed(150*time.Millisecond, 5); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestClaimsFall: what is slower than half of the claim is found, and a single calm moment
// among many is enough for what is not.
func TestClaimsFall(t *testing.T) {
	for name, test := range map[string]struct {
		tries []row
		falls bool
	}{
		"half as fast as claimed":   {[]row{{median: 6, least: 6}}, false},
		"slower":                    {[]row{{median: 6.1, least: 6.1}}, true},
		"disturbed in the median":   {[]row{{median: 60, least: 5}}, false},
		"a floor that had luck":     {[]row{{median: 5, least: 60}}, false},
		"disturbed, then calm":      {[]row{{median: 60, least: 60}, {median: 3, least: 3}}, false},
		"slower whatever one tries": {[]row{{median: 60, least: 60}, {median: 8, least: 7}}, true},
		"not there":                 {[]row{{name: "another"}}, true},
	} {
		n := 0
		c := claim{way: "ours", most: 3, measure: func(time.Duration) (table, error) {
			r := test.tries[min(n, len(test.tries)-1)]
			n++
			if r.name == "" {
				r.name = "ours"
			}
			return table{rows: []row{r}}, nil
		}}
		if err := c.missed(0, 5); (err != nil) != test.falls {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong := errors.New("a wrong answer")
	c := claim{measure: func(time.Duration) (table, error) { return table{}, wrong }}
	if err := c.missed(0, 5); !errors.Is(err, wrong) {
		t.Error(err)
	}
}

// TestPrintAll: every table is there, and what was not measured is said aloud.
func TestPrintAll(t *testing.T) {
	t.Setenv(postgresURL, "")
	var text strings.Builder
	if err := printAll(&text, time.Millisecond, []int{1000}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Transitions", "Decoding an IntegrationCreated", "Decoding a toggle", "Hazards", "Look-up among 1000 tokens",
		"Look-up among 1000 tokens beside a writer", "Delivery of an IntegrationCreated", "Delivery of a toggle",
		"Where the time of a delivery goes: IntegrationCreated", "Where the time of a delivery goes: IntegrationDisabled", "HTTP over loopback", "Durable commits to a file, writers: 1", "Durable commits to a file, writers: 16", "Durable commits to PostgreSQL",
	} {
		if !strings.Contains(text.String(), fmt.Sprintf("\n### %s\n", want)) {
			t.Errorf("no table %q", want)
		}
	}
	if !strings.Contains(text.String(), "NOT MEASURED: "+postgresURL) {
		t.Error("PostgreSQL was left out silently")
	}
}
