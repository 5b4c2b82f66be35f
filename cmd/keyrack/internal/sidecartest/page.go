package sidecartest

import (
	"regexp"
	"strings"
	"testing"
)

// SampleLine matches a sample of the text format of Prometheus; its groups are the
// name, the labels and the value.
var SampleLine = regexp.MustCompile(`^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (\S+)$`)

var typeLine = regexp.MustCompile(`^# TYPE ([a-z_]+) (counter|gauge|histogram|summary)$`)

// WellFormed fails if a page of metrics is not in the text format: HELP, TYPE, and then
// the samples of that one family, none of them twice.
func WellFormed(t *testing.T, page string) {
	t.Helper()
	family, kind := "", ""
	families, samples := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		if m := typeLine.FindStringSubmatch(line); m != nil {
			family, kind = m[1], m[2]
			if families[family] {
				t.Errorf("%s is there twice", family)
			}
			families[family] = true
			if total := strings.HasSuffix(family, "_total"); total != (kind == "counter") {
				t.Errorf("%s is a %s", family, kind)
			}
			continue
		}
		m := SampleLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not a sample: %s", line)
			continue
		}
		name := m[1]
		if kind == "histogram" || kind == "summary" {
			name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		}
		if name != family {
			t.Errorf("a sample of %s in the family %s", m[1], family)
		}
		if samples[m[1]+m[2]] {
			t.Errorf("twice: %s", line)
		}
		samples[m[1]+m[2]] = true
	}
}
