package main

import (
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestWalk: a path has an arrow for each transition and cause, with the numbers of its
// steps in order. What changes no state has none.
func TestWalk(t *testing.T) {
	step := func(from, to lifecycle.State, action string) api.Change {
		return api.Change{Kind: lifecycle.KindDelivery, Action: action, From: from, To: to}
	}
	on, off, new := lifecycle.Enabled, lifecycle.Disabled, lifecycle.Unseen
	w := walkOf([]api.Change{
		step(new, on, "IntegrationCreated"), step(on, off, "IntegrationDisabled"), step(off, off, "IntegrationDisabled"),
		step(off, on, "IntegrationEnabled"), step(on, off, "IntegrationDisabled"),
	})
	var got []string
	for _, m := range w.moves {
		got = append(got, m.from.String()+" "+m.to.String()+" "+m.label)
	}
	want := []string{
		new.String() + " " + on.String() + " 1. Created", on.String() + " " + off.String() + " 2, 4. Disabled",
		off.String() + " " + on.String() + " 3. Enabled",
	}
	for _, line := range want {
		if !strings.Contains(strings.Join(got, "\n"), line) {
			t.Errorf("no arrow %q among %q", line, got)
		}
	}
	if len(got) != len(want) || w.now != off || !w.any {
		t.Errorf("%d arrows, now %v", len(got), w.now)
	}
	for name, drawing := range map[string]string{"mermaid": drawMermaid(w), "dot": drawDOT(w)} {
		machine := strings.TrimSuffix(lifecycle.Draw(name), "}\n")
		if !strings.HasPrefix(drawing, machine) || !strings.Contains(drawing[len(machine):], "2, 4. Disabled") {
			t.Errorf("%s:\n%s", name, drawing)
		}
		if n := strings.Count(drawing[len(machine):], "Disabled\""); name == "dot" && n != 1 {
			t.Errorf("the arrow is drawn %d times", n)
		}
	}
	if drawMermaid(walk{}) != lifecycle.Draw("mermaid") || drawDOT(walk{}) != lifecycle.Draw("dot") {
		t.Error("without a path it is not the machine alone")
	}
}

// TestWalkQuotes: what stands in a label cannot end it.
func TestWalkQuotes(t *testing.T) {
	w := walkOf([]api.Change{{Kind: lifecycle.KindDelivery, Action: "A\"];\n\x1b[2J", From: lifecycle.Unseen, To: lifecycle.Enabled}})
	if drawing := drawDOT(w); strings.Contains(drawing, "\x1b") || strings.Contains(drawing, "1. A\"];") {
		t.Errorf("the label is not quoted:\n%s", drawing)
	}
}
