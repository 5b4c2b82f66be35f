package lifecycle_test

import (
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// TestDrawings: a drawing has each transition of the table, and no other.
func TestDrawings(t *testing.T) {
	testkit.Golden(t, "machine.mmd", Draw("mermaid"))
	testkit.Golden(t, "machine.dot", Draw("dot"))
	for state, row := range readTable(t) {
		for column, c := range row {
			name := strings.TrimPrefix(column.String(), "Integration")
			for drawing, line := range map[string]string{
				Draw("mermaid"): "    " + state.String() + " --> " + c.to.String() + ": " + name + "\n",
				Draw("dot"):     "    " + state.String() + " -> " + c.to.String() + " [label=\"" + name + "\"];\n",
			} {
				if c.moves != strings.Contains(drawing, line) {
					t.Errorf("%v × %v: drawn: %v", state, column, !c.moves)
				}
			}
		}
	}
}
