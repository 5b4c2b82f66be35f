package terminal

import (
	"io"
	"slices"
	"strings"
)

// Table is rows of cells in columns, for people. The zero value is empty.
type Table struct {
	titles []string
	rows   [][]string
}

// Titles names the columns. A table without them holds names and values.
func (t *Table) Titles(titles ...string) { t.titles = titles }

// Row adds a row. Its cells may hold colours, but no tabs and line ends: see Plain.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// narrowest is to how many columns of a terminal a column may be cut.
const narrowest = 8

// Write writes the columns as narrow as they can be, without blanks at the ends of lines.
// How it writes a table with titles depends on where they go: on a terminal of that many
// columns, the widest are cut until a row fits, except the first, with which one asks on.
// On no terminal (columns below 0) the cells are whole, a tab stands between them, and the
// titles are left out, for cut and awk. 0 is a terminal of unknown width.
func (t *Table) Write(w io.Writer, columns int) error {
	rows := t.rows
	var b strings.Builder
	if t.titles != nil {
		if columns < 0 {
			for _, row := range rows {
				b.WriteString(strings.Join(row, "\t") + "\n")
			}
			_, err := io.WriteString(w, b.String())
			return err
		}
		rows = slices.Concat([][]string{t.titles}, rows)
	}
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(cell))
		}
	}
	if t.titles != nil && columns > 0 {
		fit(widths, columns)
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = cut(cell, widths[i])
			line.WriteString(cell + strings.Repeat(" ", widths[i]-Width(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fit makes the widest columns narrower until all of them, with two blanks between, take no
// more than a terminal has, or none can be cut any more.
func fit(widths []int, columns int) {
	over := 2*(len(widths)-1) - columns
	for _, width := range widths {
		over += width
	}
	for ; over > 0 && len(widths) > 1; over-- {
		rest := widths[1:]
		widest := 0
		for i, width := range rest {
			if width >= rest[widest] {
				widest = i
			}
		}
		if rest[widest] <= narrowest {
			return
		}
		rest[widest]--
	}
}

// cut returns the beginning of a cell that is too wide, with an ellipsis. What has colours is
// never wide.
func cut(cell string, columns int) string {
	if Width(cell) <= columns {
		return cell
	}
	room := columns - 1
	for i, r := range cell {
		if room -= runeWidth(r); room < 0 {
			return cell[:i] + "…"
		}
	}
	return cell
}
