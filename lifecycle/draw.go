package lifecycle

import (
	"fmt"
	"strings"
)

// Draw draws the machine, in "mermaid" (a Mermaid state diagram) or "dot" (Graphviz's
// language), live states marked. The drawing is the same every time. In any other
// language it is empty.
func Draw(language string) string {
	switch language {
	case "mermaid":
		return mermaid()
	case "dot":
		return dot()
	}
	return ""
}

func mermaid() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    direction LR\n    [*] --> " + Unseen.String() + "\n")
	for _, e := range edges() {
		fmt.Fprintf(&b, "    %v --> %v: %s\n", e.from, e.to, e.label)
	}
	b.WriteString("    " + Deleted.String() + " --> [*]\n    classDef live fill:#dff5e1,stroke:#1a7f37\n")
	for _, s := range States() {
		if s.live() {
			fmt.Fprintf(&b, "    class %v live\n", s)
		}
	}
	return b.String()
}

func dot() string {
	var b strings.Builder
	b.WriteString("digraph lifecycle {\n    rankdir=LR;\n    node [shape=box, style=rounded, fontname=\"sans-serif\"];\n")
	b.WriteString("    edge [fontname=\"sans-serif\", fontsize=10];\n")
	for _, s := range States() {
		switch {
		case s.live():
			fmt.Fprintf(&b, "    %v [style=\"rounded,filled\", fillcolor=\"#dff5e1\", color=\"#1a7f37\"];\n", s)
		case s == Deleted:
			fmt.Fprintf(&b, "    %v [peripheries=2];\n", s)
		default:
			fmt.Fprintf(&b, "    %v;\n", s)
		}
	}
	for _, e := range edges() {
		fmt.Fprintf(&b, "    %v -> %v [label=\"%s\"];\n", e.from, e.to, e.label)
	}
	b.WriteString("}\n")
	return b.String()
}

type edge struct {
	from, to State
	label    string
}

// edges returns the transitions in the order of the table. Their labels leave out the
// "Integration" of Mews's names.
func edges() []edge {
	var all []edge
	for _, s := range States() {
		for _, c := range columns() {
			if cell := next(s, c); cell.rule == transition {
				all = append(all, edge{s, cell.to, strings.TrimPrefix(c.String(), "Integration")})
			}
		}
	}
	return all
}
