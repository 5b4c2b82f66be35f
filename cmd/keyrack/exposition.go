package main

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// exposition is a page of metrics, in the text format of Prometheus, version 0.0.4.
type exposition struct{ bytes.Buffer }

// family begins a metric.
func (x *exposition) family(name, kind, help string) {
	fmt.Fprintf(x, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one value; labels are names and values by turns.
func (x *exposition) sample(name string, value float64, labels ...string) {
	x.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		x.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(x, `%s="%s"`, labels[i], escaped.Replace(labels[i+1]))
	}
	if len(labels) > 0 {
		x.WriteByte('}')
	}
	x.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// gauge writes a family of one value.
func (x *exposition) gauge(name, help string, value float64, labels ...string) {
	x.family(name, "gauge", help)
	x.sample(name, value, labels...)
}

// counters writes a family of counters.
func (x *exposition) counters(name, help string, c *counters, labels ...string) {
	x.family(name, "counter", help)
	counts := c.take()
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		var pairs []string
		if len(labels) > 0 {
			for i, value := range strings.Split(key, "\x00") {
				pairs = append(pairs, labels[i], value)
			}
		}
		x.sample(name, float64(counts[key]), pairs...)
	}
}

// histogram writes what has no family of its own: those of a family come after
// each other.
func (x *exposition) histogram(name string, h *histogram, labels ...string) {
	total := uint64(0)
	for i := range h.buckets {
		total += h.buckets[i].Load()
		le := math.Inf(1)
		if i < len(bounds) {
			le = bounds[i]
		}
		x.sample(name+"_bucket", float64(total), append(slices.Clip(labels), "le", strconv.FormatFloat(le, 'g', -1, 64))...)
	}
	x.sample(name+"_sum", time.Duration(h.nanos.Load()).Seconds(), labels...)
	x.sample(name+"_count", float64(total), labels...)
}
