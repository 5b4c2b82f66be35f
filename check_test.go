package keyrack_test

import (
	"context"
	"testing"

	"github.com/keyrack-dev/keyrack"
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
