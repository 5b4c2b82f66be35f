package metrics

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/VictoriaMetrics/metricsql"

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
		m.ExpectSecrets([]keyrack.Secret{{Name: "current"}})
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
