package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/VictoriaMetrics/metricsql"
	"go.yaml.in/yaml/v3"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// catalogue is what /metrics can serve: for each metric the values that each of
// its labels was seen with.
type catalogue map[string]map[string]map[string]bool

var labelPair = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)

// newCatalogue reads a page on which every family has a sample.
func newCatalogue(t *testing.T) catalogue {
	t.Helper()
	c := catalogue{}
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		if err := rack.Subscribe("mail", func(context.Context, keyrack.Change) error { return nil }, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m := New("0.0.0")
		m.ExpectProbes()
		m.TokenIssued("caller")
		for _, a := range lifecycle.Actions() {
			m.answered(keyrack.ServedRequest{Receipt: keyrack.Receipt{Decision: lifecycle.Decision{Action: a, Outcome: lifecycle.Applied}}})
		}
		for _, err := range []error{nil, store.ErrInvalid, keyrack.ErrClosed, context.DeadlineExceeded} {
			m.Telemetry().Stored(context.Background(), keyrack.StoreCall{Method: "Commit", Err: err})
		}
		stats := rack.Stats()
		for reason := lifecycle.ReasonUnfamiliar; reason <= lifecycle.ReasonForked; reason++ {
			for _, status := range []lifecycle.Status{lifecycle.Valid, lifecycle.Invalid, lifecycle.Unknown} {
				stats.Verdicts[keyrack.Standing{Status: status, Reason: reason}] = 1
			}
		}
		var x promWriter
		m.writeCounts(&x)
		writeStats(&x, stats, m)
		writeJournal(context.Background(), &x, rack, m)
		m.writeRuntime(&x)
		sidecartest.WellFormed(t, x.String())
		c.read(x.String())
	})
	return c
}

// read adds the samples of a page.
func (c catalogue) read(page string) {
	for line := range strings.Lines(page) {
		found := sidecartest.SampleLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if found == nil {
			continue
		}
		labels := c[found[1]]
		if labels == nil {
			labels = map[string]map[string]bool{}
			c[found[1]] = labels
		}
		for _, pair := range labelPair.FindAllStringSubmatch(found[2], -1) {
			if labels[pair[1]] == nil {
				labels[pair[1]] = map[string]bool{}
			}
			labels[pair[1]][pair[2]] = true
		}
	}
}

// functions are those of PromQL that we use: the parser knows more than Prometheus does.
var functions = []string{"absent", "deriv", "histogram_quantile", "increase", "min_over_time", "rate", "sum", "max", "min", "count", "vector"}

// check parses an expression, and finds what /metrics does not serve.
func (c catalogue) check(expression string) (problems []string) {
	parsed, err := metricsql.Parse(expression)
	if err != nil {
		return []string{err.Error()}
	}
	found := 0
	used := map[string]bool{"instance": true, "job": true} // what a scrape adds
	var grouped []string
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.FuncExpr:
			if !slices.Contains(functions, e.Name) {
				problems = append(problems, "the function "+e.Name)
			}
		case *metricsql.AggrFuncExpr:
			if !slices.Contains(functions, e.Name) {
				problems = append(problems, "the function "+e.Name)
			}
			grouped = append(grouped, e.Modifier.Args...)
		case *metricsql.BinaryOpExpr:
			grouped = append(grouped, e.GroupModifier.Args...)
		case *metricsql.MetricExpr:
			for _, filters := range e.LabelFilterss {
				found++
				problems = append(problems, c.filters(filters, used)...)
			}
		}
	})
	if found == 0 {
		problems = append(problems, "no metric")
	}
	for _, label := range grouped {
		if !used[label] {
			problems = append(problems, "the label "+label)
		}
	}
	return problems
}

func (c catalogue) filters(filters []metricsql.LabelFilter, used map[string]bool) (problems []string) {
	name := ""
	for _, f := range filters {
		if f.Label == "__name__" {
			name = f.Value
		}
	}
	labels, ok := c[name]
	if !ok {
		return []string{"the metric " + name}
	}
	for label := range labels {
		used[label] = true
	}
	for _, f := range filters {
		switch {
		case f.Label == "__name__" || f.Label == "instance" || f.Label == "job":
		case labels[f.Label] == nil:
			problems = append(problems, "the label "+f.Label+" of "+name)
		default:
			values := []string{f.Value}
			if f.IsRegexp {
				values = strings.Split(f.Value, "|")
			}
			for _, value := range values {
				if value != "" && !labels[f.Label][value] {
					problems = append(problems, fmt.Sprintf("%s=%q of %s", f.Label, value, name))
				}
			}
		}
	}
	return problems
}

// TestCatalogue: the check finds what it should.
func TestCatalogue(t *testing.T) {
	c := newCatalogue(t)
	for expression, want := range map[string]string{
		`rate(keyrack_deliveries_total{action="IntegrationCreated"}[5m]) > 0`: ``,
		`sum by (le, instance) (rate(keyrack_answer_seconds_bucket[5m]))`:     ``,
		`rate(keyrack_deliveries_total[5m]`:                                   `unexpected token`,
		`rate(keyrack_deliveries[5m])`:                                        `the metric keyrack_deliveries`,
		`keyrack_refusals_total{reason="store"}`:                              `the label reason`,
		`keyrack_refusals_total{why=~"store|stroe"}`:                          `why="stroe"`,
		`sum by (reason) (keyrack_refusals_total)`:                            `the label reason`,
		`keyrack_suspects[5 minutes]`:                                         ` `,
		`range_last(keyrack_suspects)`:                                        `the function range_last`,
		`1 > 0`:                                                               `no metric`,
	} {
		problems := strings.Join(c.check(expression), ", ")
		if (problems == "") != (want == "") || !strings.Contains(problems, want) {
			t.Errorf("%s: %q, want %q", expression, problems, want)
		}
	}
}

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
