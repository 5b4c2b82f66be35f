package main

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// varies are the values that differ from run to run.
var varies = regexp.MustCompile(`(?m)^(keyrack_(?:answer|store)_seconds_(?:bucket\{(?:method="Commit",)?le="[^+"]*"\}|sum(?:\{method="Commit"\})?)|go_(?:goroutines|threads|sched|gc|mem)\w*` +
	`|keyrack_(?:journal_synced|oldest_evidence)_seconds|keyrack_journal_(?:lag|position)) \S+$`)

// inBackground is a line about what the rack does with the store of its own accord,
// as often as there was time, or about the process, which only Linux tells.
func inBackground(line string) bool {
	return strings.Contains(line, `{method="`) && !strings.Contains(line, `{method="Commit"`) || strings.Contains(line, "process_")
}

// TestMetrics keeps a page of metrics where a person can review it.
func TestMetrics(t *testing.T) {
	p := serving(t, map[string]string{api.KeysVariable: sidecartest.APIKeys})
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
		sidecartest.Call(t, p.webhooks, "", http.MethodPost, "/webhooks/mews?Token="+sidecartest.Secret, "", body)
	}
	sidecartest.Call(t, p.webhooks, "", http.MethodPost, "/webhooks/mews?Token=canary", "", "{}")
	sidecartest.Call(t, p.api, "holder", http.MethodPost, api.IntegrationsPath+"/"+sidecartest.SampleIntegration+"/token", "", "")
	r := sidecartest.Call(t, p.api, "reader", http.MethodGet, "/metrics", "", "")
	if r.Status != http.StatusOK || r.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("answered %d, %s", r.Status, r.Header.Get("Content-Type"))
	}
	text := varies.ReplaceAllString(strings.Join(slices.DeleteFunc(strings.SplitAfter(r.Body, "\n"), inBackground), ""), "$1 VALUE")
	text = regexp.MustCompile(`version="[^"]*"`).ReplaceAllString(text, `version="VERSION"`)
	testkit.Golden(t, "metrics.txt", text)
	sidecartest.WellFormed(t, r.Body)
	if !strings.Contains(r.Body, "\nprocess_start_time_seconds ") {
		t.Error("when the process began is not there")
	}
	sidecartest.Silent(t, "the page", r.Body)
}
