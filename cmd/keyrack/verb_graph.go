package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// The languages in which graph draws.
const (
	graphMermaid = "mermaid"
	graphDOT     = "dot"
)

func newGraph(env environment) *cobra.Command {
	var format string
	var c sidecar
	graph := &cobra.Command{
		Use:   "graph [INTEGRATION] [flags]",
		Short: "Draw the state machine, and the path of an integration through it",
		Long: `Graph draws the state machine of an integration for Mermaid or Graphviz: ten states and
the webhooks that lead from one to another. Live states, in which the token works, are
green.

With the id of an integration it also draws the path of that integration: an arrow for
each move, with its numbers and its cause, and the current state. For that it asks a
running sidecar (--api). The drawing holds no names.

` + sidecarHelp,
		Example: `  keyrack graph > lifecycle.mmd
  keyrack graph --format dot | dot -Tsvg > lifecycle.svg
  keyrack graph 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --format dot | dot -Tsvg > path.svg`,
		Args: atMostOne("INTEGRATION"),
		RunE: func(verb *cobra.Command, args []string) error {
			draw := map[string]func(walk) string{graphMermaid: drawMermaid, graphDOT: drawDOT}[format]
			if draw == nil {
				return usage.Errorf("unknown --format %s of a drawing; use mermaid or dot", terminal.Quote(format))
			}
			var w walk
			if len(args) > 0 {
				if err := c.open(env, verb.ErrOrStderr()); err != nil {
					return err
				}
				defer c.Close()
				var changes []api.Change
				for raw, err := range c.History(verb.Context(), args[0]) {
					if err != nil {
						return err
					}
					e, err := client.Decode[api.Change](raw)
					if err != nil {
						return err
					}
					changes = append(changes, e)
				}
				w = walkOf(changes)
			}
			_, err := fmt.Fprint(verb.OutOrStdout(), draw(w))
			return err
		},
	}
	flags := graph.Flags()
	flags.SortFlags = false
	flags.StringVar(&format, "format", graphMermaid, "`format` of the drawing: mermaid or dot")
	_ = flags.SetAnnotation("format", explicit, nil) // KEYRACK_FORMAT is about answers
	c.flags(flags)
	return graph
}

// move is one arrow of a path: from a state to another, taken once or more.
type move struct {
	from, to lifecycle.State
	label    string // its numbers, and what caused it
}

// walk is the path of an integration. The zero value is no path.
type walk struct {
	moves []move
	now   lifecycle.State
	any   bool // there is a path, be it one that never moved
}

// walkOf makes a path of a history, oldest entry first.
func walkOf(changes []api.Change) walk {
	type arrow struct {
		from, to lifecycle.State
		cause    string
	}
	w := walk{any: true}
	numbers := map[arrow][]string{}
	var order []arrow
	n := 0
	for _, e := range changes {
		w.now = e.To
		if e.From == e.To {
			continue
		}
		n++
		a := arrow{e.From, e.To, strings.TrimPrefix(whatOf(e), "Integration")}
		if numbers[a] == nil {
			order = append(order, a)
		}
		numbers[a] = append(numbers[a], strconv.Itoa(n))
	}
	for _, a := range order {
		w.moves = append(w.moves, move{a.from, a.to, strings.Join(numbers[a], ", ") + ". " + a.cause})
	}
	slices.SortStableFunc(w.moves, func(a, b move) int { return cmp.Compare(a.from, b.from) })
	return w
}

// drawMermaid draws the state machine and a path as a Mermaid state diagram. Its arrows cannot
// have colours: those of the path have numbers.
func drawMermaid(w walk) string {
	b := new(strings.Builder)
	b.WriteString(lifecycle.Draw("mermaid"))
	if !w.any {
		return b.String()
	}
	on := map[lifecycle.State]bool{}
	for _, m := range w.moves {
		fmt.Fprintf(b, "    %v --> %v: %s\n", m.from, m.to, m.label)
		on[m.from], on[m.to] = true, true
	}
	b.WriteString("    classDef path stroke:#0550ae,stroke-width:3px\n    classDef now fill:#0550ae,color:#ffffff\n")
	for _, s := range lifecycle.States() {
		if on[s] && s != w.now {
			fmt.Fprintf(b, "    class %v path\n", s)
		}
	}
	fmt.Fprintf(b, "    class %v now\n", w.now)
	return b.String()
}

// drawDOT draws the state machine and a path in Graphviz's language.
func drawDOT(w walk) string {
	machine := lifecycle.Draw("dot")
	if !w.any {
		return machine
	}
	b := new(strings.Builder)
	b.WriteString(strings.TrimSuffix(machine, "}\n"))
	on := map[lifecycle.State]bool{}
	for _, m := range w.moves {
		fmt.Fprintf(b, "    %v -> %v [label=%q, color=\"#0550ae\", fontcolor=\"#0550ae\", penwidth=2.5];\n", m.from, m.to, m.label)
		on[m.from], on[m.to] = true, true
	}
	for _, s := range lifecycle.States() {
		if on[s] && s != w.now {
			fmt.Fprintf(b, "    %v [color=\"#0550ae\", penwidth=2.5];\n", s)
		}
	}
	fmt.Fprintf(b, "    %v [style=\"rounded,filled\", fillcolor=\"#0550ae\", fontcolor=\"#ffffff\"];\n}\n", w.now)
	return b.String()
}
