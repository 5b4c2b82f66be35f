package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
)

// varies are the values that differ from run to run.
var varies = regexp.MustCompile(`(?m)^(keyrack_answer_seconds_(?:bucket\{le="[^+"]*"\}|sum)|process_start_time_seconds|keyrack_(?:journal_synced|oldest_evidence)_seconds|keyrack_journal_(?:lag|position)) \S+$`)

// TestMetrics keeps a page of metrics where a person can review it.
func TestMetrics(t *testing.T) {
	p := serving(t, map[string]string{apiKeysVariable: testKeys})
	deliver(t, p, "created.json")
	deliver(t, p, "created.json")
	deliver(t, p, "disabled.json")
	deliver(t, p, "enabled.json")
	for _, body := range []string{
		`{"EnterpriseId":"e","IntegrationId":"i","Events":[]}`,
		`{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"late"}}}`,
		`{"Action":"IntegrationCanary","Data":{"Integration":{"Id":"late"}}}`,
		`{`,
	} {
		call(t, p.webhooks, "", http.MethodPost, "/webhooks/mews?Token="+secret, "", body)
	}
	call(t, p.webhooks, "", http.MethodPost, "/webhooks/mews?Token=canary", "", "{}")
	call(t, p.api, "holder", http.MethodPost, integrationsPath+"/"+theSample+"/token", "", "")
	r := call(t, p.api, "reader", http.MethodGet, "/metrics", "", "")
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("answered %d, %s", r.status, r.header.Get("Content-Type"))
	}
	text := varies.ReplaceAllString(r.body, "$1 VALUE")
	text = regexp.MustCompile(`version="[^"]*"`).ReplaceAllString(text, `version="VERSION"`)
	golden(t, "metrics.txt", text)
	wellFormed(t, r.body)
	silent(t, "the page", r.body)
}

var (
	typeLine   = regexp.MustCompile(`^# TYPE ([a-z_]+) (counter|gauge|histogram)$`)
	sampleLine = regexp.MustCompile(`^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (\S+)$`)
)

// wellFormed holds a page against the text format: HELP, TYPE, and then the
// samples of that one family, none of them twice.
func wellFormed(t *testing.T, page string) {
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
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not a sample: %s", line)
			continue
		}
		name := m[1]
		if kind == "histogram" {
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

// TestExposition: whatever is in a label, the page stays well-formed.
func TestExposition(t *testing.T) {
	m := newMeter()
	m.probed("a \"quoted\" \\ word\nand more")
	m.observe(keyrack.Observation{Took: time.Hour})
	var x exposition
	m.expose(&x)
	wellFormed(t, x.String())
}
