package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// way is one way of doing the work of a table.
type way struct {
	name string
	// before, if not nil, prepares the next batch; its time does not count.
	before func() error
	// batch does the work once, and returns an error for a wrong answer. All ways of a
	// table do the same amount.
	batch func() error
}

// row is what a way came to: its time by the floor's in the same turn.
type row struct {
	name              string
	median, low, high float64 // the percentiles 50, 10 and 90
	// least is the shortest batch by the floor's shortest: what other work on the machine
	// disturbs least.
	least float64
	// each is the median time of one piece of work.
	each time.Duration
}

// table is a piece of work and its ways. The first way is the floor.
type table struct {
	title string
	note  string
	rows  []row
}

// race lets the ways take turns for a time, at least five turns, and returns a row for
// each. A batch is so many pieces of work. The turn before the first warms up and does
// not count.
func race(d time.Duration, pieces int, ways []way) ([]row, error) {
	ratios := make([][]float64, len(ways))
	all := make([][]time.Duration, len(ways))
	times := make([]time.Duration, len(ways))
	begin := time.Now()
	for turn := 0; turn < 6 || time.Since(begin) < d; turn++ {
		for i := range ways {
			i = (i + turn) % len(ways) // nobody always comes after the same one
			if before := ways[i].before; before != nil {
				if err := before(); err != nil {
					return nil, fmt.Errorf("%s: %w", ways[i].name, err)
				}
			}
			began := time.Now()
			if err := ways[i].batch(); err != nil {
				return nil, fmt.Errorf("%s: %w", ways[i].name, err)
			}
			times[i] = time.Since(began)
		}
		if turn == 0 {
			begin = time.Now()
			continue
		}
		for i := range ways {
			ratios[i] = append(ratios[i], float64(times[i])/float64(times[0]))
			all[i] = append(all[i], times[i])
		}
	}
	rows := make([]row, len(ways))
	for i, r := range ratios {
		slices.Sort(r)
		slices.Sort(all[i])
		at := func(percent int) float64 { return r[(len(r)-1)*percent/100] }
		rows[i] = row{
			name: ways[i].name, median: at(50), low: at(10), high: at(90),
			least: float64(all[i][0]) / float64(all[0][0]), each: all[i][len(all[i])/2] / time.Duration(pieces),
		}
	}
	return rows, nil
}

// row returns the row of a way, the zero row if there is no such way.
func (t *table) row(name string) row {
	for _, r := range t.rows {
		if r.name == name {
			return r
		}
	}
	return row{}
}

// print writes the table as Markdown.
func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\n### %s\n\n", t.title)
	if t.note != "" {
		fmt.Fprintf(w, "%s\n\n", t.note)
	}
	fmt.Fprintf(w, "The floor: %v each.\n\n", t.rows[0].each)
	tw := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintf(tw, "| way\t| time / floor\t| 10 %%\t| 90 %%\t|\n| ---\t| ---:\t| ---:\t| ---:\t|\n")
	for _, r := range t.rows {
		fmt.Fprintf(tw, "| %s\t| %.3g\t| %.3g\t| %.3g\t|\n", r.name, r.median, r.low, r.high)
	}
	tw.Flush()
}
