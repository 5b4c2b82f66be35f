package console

import (
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// chart is a drawing of counts over time, with the table that says the same.
type chart struct {
	Title, Label string
	Series       []string // by class: c0 is drawn lowest
	Bars         []bar
	Rows         []chartRow
	Top          string
	From, To     string
	Empty        bool
}

// bar is a rectangle, in the units of the drawing.
type bar struct {
	X, Y, W, H int
	Class      int
}

type chartRow struct {
	Label  string
	Values []string
}

// The units of a drawing.
const (
	chartWidth  = 480
	chartHeight = 96
)

// series is what one chart counts: a name, and how many there were within an hour.
type series struct {
	name  string
	count func(*hour) int
}

var deliverySeries = []series{
	{"took effect", func(h *hour) int { return h.outcomes[lifecycle.Applied] + h.outcomes[lifecycle.Reconciled] }},
	{"known already", func(h *hour) int { return h.outcomes[lifecycle.Duplicate] + h.outcomes[lifecycle.Fenced] }},
	{"waiting", func(h *hour) int { return h.outcomes[lifecycle.Parked] }},
	{"refused by the rules", func(h *hour) int {
		return h.outcomes[lifecycle.Stale] + h.outcomes[lifecycle.Conflict] + h.outcomes[lifecycle.Unrecognized]
	}},
}

var probeSeries = []series{
	{"accepted", func(h *hour) int { return h.answers[lifecycle.Accepted] }},
	{"refused as expected", func(h *hour) int { return h.answers[lifecycle.Expected] }},
	{"open", func(h *hour) int { return h.answers[lifecycle.Unattributed] + h.answers[lifecycle.Withdrawn] }},
	{"refused", func(h *hour) int { return h.answers[lifecycle.Rejected] + h.answers[lifecycle.RejectedOnce] }},
}

// countChart draws counts of n spans of so many hours each, up to now.
func countChart(title string, all []series, hours map[int64]*hour, now time.Time, n, long int) chart {
	c := chart{Title: title}
	values := make([][]int, n)
	top, total := 0, 0
	end := now.Unix()/3600 + 1
	for i := range n {
		values[i] = make([]int, len(all))
		sum := 0
		for k := range long {
			if h := hours[end-int64((n-i)*long)+int64(k)]; h != nil {
				for s := range all {
					count := all[s].count(h)
					values[i][s] += count
					sum += count
				}
			}
		}
		top, total = max(top, sum), total+sum
	}
	for _, s := range all {
		c.Series = append(c.Series, s.name)
	}
	label := spanLabel(end, long)
	step := chartWidth / n
	for i := range n {
		y := chartHeight
		row := chartRow{Label: label(i - n)}
		for s, value := range values[i] {
			row.Values = append(row.Values, number(value))
			if high := scaled(value, top); high > 0 {
				y -= high
				c.Bars = append(c.Bars, bar{i*step + 2, y, step - 4, high, s})
			}
		}
		c.Rows = append(c.Rows, row)
	}
	c.Empty, c.Top = total == 0, number(top)
	c.From, c.To = label(-n), "now"
	c.Label = fmt.Sprintf("%s: %s in all, at most %s at a time. The table below has every count.", title, number(total), c.Top)
	return c
}

// timeChart draws how long answers took: the median, and what 99 of 100 stayed within.
func timeChart(hours map[int64]*hour, now time.Time, n int) chart {
	c := chart{Title: "Time to answer a delivery, by the hour", Series: []string{"half within", "99 of 100 within"}}
	end := now.Unix()/3600 + 1
	label := spanLabel(end, 1)
	type pair struct{ half, most time.Duration }
	pairs := make([]pair, n)
	top := time.Duration(0)
	for i := range n {
		if h := hours[end-int64(n-i)]; h != nil {
			pairs[i] = pair{quantile(&h.took, h.timed, 0.5), quantile(&h.took, h.timed, 0.99)}
			top = max(top, pairs[i].most)
		}
	}
	step := chartWidth / n
	for i, p := range pairs {
		row := chartRow{Label: label(i - n), Values: []string{"–", "–"}}
		if p.most > 0 {
			row.Values = []string{span(p.half), span(p.most)}
			half, most := scaled(int(p.half), int(top)), scaled(int(p.most), int(top))
			c.Bars = append(c.Bars, bar{i*step + 2, chartHeight - half, step - 4, half, 0})
			if most > half {
				c.Bars = append(c.Bars, bar{i*step + 2, chartHeight - most, step - 4, most - half, 1})
			}
		}
		c.Rows = append(c.Rows, row)
	}
	c.Empty, c.Top = top == 0, span(top)
	c.From, c.To = label(-n), "now"
	c.Label = fmt.Sprintf("%s: at most %s. The table below has every value.", c.Title, c.Top)
	return c
}

// scaled returns the height of a value, which shows at least a little.
func scaled(value, top int) int {
	if value <= 0 || top <= 0 {
		return 0
	}
	return max(2, int(float64(value)*float64(chartHeight-4)/float64(top)))
}

// spanLabel names a span by how many of them it lies before the end.
func spanLabel(end int64, long int) func(int) string {
	format := "15:04"
	if long > 1 {
		format = "2 Jan"
	}
	return func(back int) string {
		return time.Unix((end+int64(back*long))*3600, 0).UTC().Format(format)
	}
}
