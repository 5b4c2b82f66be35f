package metrics

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

// promWriter writes the text format of Prometheus, version 0.0.4.
type promWriter struct{ bytes.Buffer }

// family begins a family of samples.
func (w *promWriter) family(name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one value. Labels are names and values in turn.
func (w *promWriter) sample(name string, value float64, labels ...string) {
	w.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		w.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(w, `%s="%s"`, labels[i], escaped.Replace(labels[i+1]))
	}
	if len(labels) > 0 {
		w.WriteByte('}')
	}
	w.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// gauge writes a family of one value.
func (w *promWriter) gauge(name, help string, value float64, labels ...string) {
	w.family(name, "gauge", help)
	w.sample(name, value, labels...)
}

// counters writes a family of counters.
func (w *promWriter) counters(name, help string, c *counters, labels ...string) {
	w.family(name, "counter", help)
	counts := c.take()
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		var pairs []string
		if len(labels) > 0 {
			for i, value := range strings.Split(key, "\x00") {
				pairs = append(pairs, labels[i], value)
			}
		}
		w.sample(name, float64(counts[key]), pairs...)
	}
}

// histogram writes one histogram of a family that has begun.
func (w *promWriter) histogram(name string, h *histogram, labels ...string) {
	total := uint64(0)
	for i := range h.buckets {
		total += h.buckets[i].Load()
		le := math.Inf(1)
		if i < len(bounds) {
			le = bounds[i]
		}
		w.sample(name+"_bucket", float64(total), append(slices.Clip(labels), "le", strconv.FormatFloat(le, 'g', -1, 64))...)
	}
	w.sample(name+"_sum", time.Duration(h.nanos.Load()).Seconds(), labels...)
	w.sample(name+"_count", float64(total), labels...)
}
