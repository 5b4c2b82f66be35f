package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/memstore"
)

// varies are the values that differ from run to run.
var varies = regexp.MustCompile(`(?m)^(keyrack_(?:answer|store)_seconds_(?:bucket\{(?:method="Commit",)?le="[^+"]*"\}|sum(?:\{method="Commit"\})?)|process_start_time_seconds` +
	`|keyrack_(?:journal_synced|oldest_evidence)_seconds|keyrack_journal_(?:lag|position)) \S+$`)

// inBackground is a line about what the rack does with the store of its own accord,
// as often as there was time.
func inBackground(line string) bool {
	return strings.Contains(line, `{method="`) && !strings.Contains(line, `{method="Commit"`)
}

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
	text := varies.ReplaceAllString(strings.Join(slices.DeleteFunc(strings.SplitAfter(r.body, "\n"), inBackground), ""), "$1 VALUE")
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
	m.handedOut("a \"quoted\" \\ word\nand more")
	m.answered(keyrack.Observation{Took: time.Hour})
	m.storing("a \"quoted\" \\ word\nand more").add(time.Hour)
	var x exposition
	m.expose(&x)
	wellFormed(t, x.String())
}

// TestSubscriptionMetrics: how the subscriptions of a store stand, as of a minute ago.
func TestSubscriptionMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		fail := func(context.Context, keyrack.Entry) error { return errors.New("made-up") }
		if err := rack.Subscribe("mail", fail, &keyrack.Subscription{Attempts: 1, FromStart: true}); err != nil {
			t.Fatal(err)
		}
		m := newMeter()
		expect := func(lag, dead, paused int) {
			t.Helper()
			var x exposition
			exposeJournal(context.Background(), &x, rack, m)
			page := x.String()
			wellFormed(t, page)
			for name, value := range map[string]int{"lag": lag, "dead_letters": dead, "paused": paused} {
				if line := fmt.Sprintf("keyrack_subscription_%s{subscription=\"mail\"} %d\n", name, value); !strings.Contains(page, line) {
					t.Errorf("there is no %sin:\n%s", line, page)
				}
			}
		}
		synctest.Wait()
		expect(0, 0, 0)
		if err := rack.Pause(context.Background(), "mail"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		for _, name := range []string{"created.json", "disabled.json"} {
			body, err := bodies.ReadFile("testdata/bodies/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rack.Deliver(context.Background(), body); err != nil {
				t.Fatal(err)
			}
		}
		expect(0, 0, 0)
		time.Sleep(time.Minute)
		expect(2, 0, 1)
		if err := rack.Resume(context.Background(), "mail"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		expect(0, 2, 0)
	})
}

// TestStoreMetrics: conflicts and failures of the store are counted.
func TestStoreMetrics(t *testing.T) {
	m := newMeter()
	hook := m.telemetry()
	hook.Taken(t.Context(), keyrack.Taken{Conflicts: 3})
	hook.Taken(t.Context(), keyrack.Taken{})
	hook.Stored(t.Context(), keyrack.Stored{Method: "Commit", Err: context.DeadlineExceeded, Took: 4 * time.Second})
	hook.Probed(t.Context(), keyrack.Probed{Class: connector.TimedOut, Took: 2 * time.Second})
	hook.Alarmed(t.Context(), keyrack.Alarm{Kind: keyrack.AlarmTrouble})
	var x exposition
	m.expose(&x)
	wellFormed(t, x.String())
	for _, line := range []string{
		"keyrack_conflicts_total 3", `keyrack_store_calls_total{method="Commit",result="timeout"} 1`,
		`keyrack_store_seconds_sum{method="Commit"} 4`, `keyrack_store_seconds_bucket{method="Commit",le="2.5"} 0`,
		`keyrack_store_seconds_bucket{method="Commit",le="5"} 1`, `keyrack_probes_total{result="timed out"} 1`,
		"keyrack_probe_seconds_sum 2", `keyrack_alarms_total{kind="trouble"} 1`,
	} {
		if !strings.Contains(x.String(), line+"\n") {
			t.Errorf("there is no %s in:\n%s", line, &x.Buffer)
		}
	}
}
