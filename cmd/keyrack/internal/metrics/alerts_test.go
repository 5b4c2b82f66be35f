package metrics

import (
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/keyrack-dev/keyrack"
)

func parsedURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// alertRule is a rule of Prometheus.
type alertRule struct {
	Alert, Expr         string
	For                 string
	Labels, Annotations map[string]string
}

// readRules returns the rules of a file of packaging.
func readRules(t *testing.T, name string) (rules []alertRule) {
	t.Helper()
	text, err := os.ReadFile("../../../../packaging/prometheus/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []alertRule
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

// TestAlerts: every alert parses, asks for what is served, and has its line in the
// runbook, which has no other.
func TestAlerts(t *testing.T) {
	rules := readRules(t, "alerts.yaml")
	production, err := os.ReadFile("../../../../docs/production.md")
	if err != nil {
		t.Fatal(err)
	}
	runbook := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(Keyrack\\w+)` \\| .+ \\| .+ \\|$").FindAllStringSubmatch(string(production), -1) {
		runbook[row[1]] = true
	}
	c, seen := newCatalogue(t), map[string]bool{}
	duration := regexp.MustCompile(`^([0-9]+[smhdw])$`)
	for _, rule := range rules {
		if problems := c.check(rule.Expr); len(problems) > 0 {
			t.Errorf("%s: there is not %q", rule.Alert, problems)
		}
		if seen[rule.Alert] || !runbook[rule.Alert] {
			t.Errorf("%s is there twice, or not in the runbook", rule.Alert)
		}
		seen[rule.Alert] = true
		delete(runbook, rule.Alert)
		if !duration.MatchString(rule.For) || !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
			t.Errorf("%s: for %q, severity %q", rule.Alert, rule.For, rule.Labels["severity"])
		}
		if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
			t.Errorf("%s says nothing", rule.Alert)
		}
		heading := strings.ReplaceAll(parsedURL(t, rule.Annotations["runbook_url"]).Fragment, "-", " ")
		if heading == "" || !strings.Contains(strings.ToLower(string(production)), "\n## "+heading+"\n") &&
			!strings.Contains(strings.ToLower(string(production)), "\n### "+heading+"\n") {
			t.Errorf("%s: the runbook has no heading %q", rule.Alert, heading)
		}
	}
	checkAlarms(t, c["keyrack_alarms_total"]["kind"], rules)
	if len(seen) == 0 || len(runbook) > 0 {
		t.Errorf("%d alerts; in the runbook, but no alerts: %v", len(seen), slices.Sorted(maps.Keys(runbook)))
	}
}

// checkAlarms: each kind of alarm that the library has is on the page from the start, and a
// rule tells a person of it.
func checkAlarms(t *testing.T, onPage map[string]bool, rules []alertRule) {
	t.Helper()
	telemetry, err := os.ReadFile("../../../../telemetry.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`(?m)^\tAlarm\w+ +AlarmKind = "(\w+)"`).FindAllStringSubmatch(string(telemetry), -1)
	if len(kinds) != len(onPage) || len(kinds) == 0 {
		t.Errorf("the library has %d kinds of alarms, the page %d", len(kinds), len(onPage))
	}
	for _, kind := range kinds {
		if kind[1] != string(keyrack.AlarmTroubleOver) && !slices.ContainsFunc(rules, func(r alertRule) bool {
			return strings.Contains(r.Expr, `kind="`+kind[1]+`"}`)
		}) {
			t.Errorf("no rule tells of the alarm %s", kind[1])
		}
	}
}

// TestDashboard: every panel asks for what is served, says what it shows, and lies
// on no other.
func TestDashboard(t *testing.T) { checkDashboard(t, "keyrack.json", newCatalogue(t), undrawn) }

func checkDashboard(t *testing.T, name string, c catalogue, undrawn []string) {
	t.Helper()
	text, err := os.ReadFile("../../../../packaging/grafana/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Templating struct {
			List []struct {
				Name, Type string
				Query      any
			}
		}
		Panels []struct {
			ID                       int
			Type, Title, Description string
			GridPos                  struct{ X, Y, W, H int }
			Datasource               struct{ UID string }
			Targets                  []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	// What Grafana puts in, and what the variable of instances asks.
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	values := regexp.MustCompile(`label_values\((\w+), instance\)`)
	for _, found := range values.FindAllStringSubmatch(string(text), -1) {
		if c[found[1]] == nil {
			t.Errorf("the variable asks for %s", found[1])
		}
	}
	asked, ids, taken := map[string]bool{}, map[int]bool{}, map[[2]int]string{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("%s: its id is another's", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies on %q at %d, %d", p.Title, other, x, y)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("the panel %q has no description, no data source or no target", p.Title)
		}
		for _, target := range p.Targets {
			if problems := c.check(variables.Replace(target.Expr)); len(problems) > 0 {
				t.Errorf("%s: there is not %q in %s", p.Title, problems, target.Expr)
			}
			for name := range c {
				if strings.Contains(target.Expr, name) {
					asked[name] = true
				}
			}
		}
	}
	// Every metric of ours is on the dashboard, except for those that count what
	// nobody draws.
	for name := range c {
		family := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if !asked[name] && !asked[family+"_bucket"] && !slices.Contains(undrawn, family) {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// undrawn are the metrics without a panel.
var undrawn = []string{
	"keyrack_build_info", "process_start_time_seconds", "go_info", "go_threads", "go_sched_gomaxprocs_threads", "go_gc_duration_seconds",
	"go_memstats_alloc_bytes_total", "go_memstats_heap_objects", "go_memstats_next_gc_bytes", "go_memstats_sys_bytes", "process_virtual_memory_bytes",
	"keyrack_tokens_issued_total", "keyrack_parked",
	"keyrack_journal_synced_seconds", "keyrack_subscription_paused", "keyrack_forbidden_calls_total",
	"keyrack_secret_uses_total",
}

// TestProbesSilentAtZero: the rule fires when nobody asks Mews at all. A ratio cannot, as it
// needs questions.
func TestProbesSilentAtZero(t *testing.T) {
	text, err := os.ReadFile("../../../../packaging/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rule, found := strings.Cut(string(text), "- alert: KeyrackProbesSilent\n")
	rule, _, _ = strings.Cut(rule, "- alert:")
	if !found || !strings.Contains(rule, "or (sum(increase(keyrack_probes_total[25h])) == 0 and on () sum(keyrack_integrations{") {
		t.Errorf("the rule does not fire at zero probes:\n%s", rule)
	}
}
