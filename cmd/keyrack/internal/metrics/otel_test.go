package metrics

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/keyrackotel"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// newOTelCatalogue reads what OpenTelemetry's exporter for Prometheus makes of keyrackotel,
// once everything that can be told was told.
func newOTelCatalogue(t *testing.T) catalogue {
	t.Helper()
	c := catalogue{}
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
		if err != nil {
			t.Fatal(err)
		}
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
		defer provider.Shutdown(context.Background())
		telemetry, err := keyrackotel.New(&keyrackotel.Options{MeterProvider: provider})
		if err != nil {
			t.Fatal(err)
		}
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		stop, err := telemetry.Watch(rack)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		if err := rack.Subscribe("mail", func(context.Context, keyrack.Change) error { return nil }, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := rack.Deliver(context.Background(), []byte(`{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"i"}}}`)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		everything(telemetry.Functions())
		w := httptest.NewRecorder()
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.PanicOnError}).
			ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		c.read(w.Body.String())
		// The verdicts of this Rack are few; the others would be spelled like them.
		for reason := lifecycle.ReasonUnfamiliar; reason <= lifecycle.ReasonSupersededUnproved; reason++ {
			c["keyrack_verdicts"]["keyrack_verdict_reason"][reason.String()] = true
		}
		for _, status := range []lifecycle.Status{lifecycle.Valid, lifecycle.Invalid, lifecycle.Unknown} {
			c["keyrack_verdicts"]["keyrack_verdict_status"][status.String()] = true
		}
	})
	return c
}

// everything tells of each thing that the rules and the dashboard ask for. Alarms are not
// among them: their counters are there from the start.
func everything(told *keyrack.Telemetry) {
	ctx := context.Background()
	for _, refusal := range []keyrack.Refusal{"", keyrack.RefusedSecret, keyrack.RefusedStore} {
		told.Answered(ctx, keyrack.ServedRequest{Status: 204, Refusal: refusal})
	}
	told.Taken(ctx, keyrack.Taken{Kind: lifecycle.KindDelivery, Receipt: keyrack.Receipt{Decision: lifecycle.Decision{Action: lifecycle.IntegrationCreated}}})
	for _, err := range []error{nil, store.ErrInvalid, keyrack.ErrClosed, context.DeadlineExceeded} {
		told.Stored(ctx, keyrack.StoreCall{Method: "Commit", Err: err})
	}
	for kind := connector.Accepted; kind <= connector.Unauthorized; kind++ {
		told.Probed(ctx, keyrack.Probed{Kind: kind, Took: time.Second})
	}
	told.Handled(ctx, keyrack.Handled{Subscription: "mail", Age: time.Second})
}

// TestOTelAlerts: the rules for applications that export keyrackotel's metrics ask for what
// OpenTelemetry's exporter gives, and are those of the sidecar, one for one.
func TestOTelAlerts(t *testing.T) {
	c := newOTelCatalogue(t)
	own, other := readRules(t, "alerts.yaml"), readRules(t, "alerts-otel.yaml")
	for i, rule := range other {
		if problems := c.check(rule.Expr); len(problems) > 0 {
			t.Errorf("%s: there is not %q in %s", rule.Alert, problems, rule.Expr)
		}
		if i < len(own) && (rule.Alert != own[i].Alert || rule.For != own[i].For || rule.Labels["severity"] != own[i].Labels["severity"] ||
			rule.Annotations["description"] != own[i].Annotations["description"]) {
			t.Errorf("%s is %s of the sidecar, which has other words or times", rule.Alert, own[i].Alert)
		}
	}
	checkAlarms(t, c["keyrack_alarms_total"]["keyrack_alarm_kind"], other)
	if len(own) != len(other) {
		t.Errorf("%d rules for the sidecar, %d for OpenTelemetry", len(own), len(other))
	}
}

// TestOTelDashboard: every panel asks for what the exporter gives.
func TestOTelDashboard(t *testing.T) {
	checkDashboard(t, "keyrack-otel.json", newOTelCatalogue(t), []string{
		"target_info", "otel_scope_info", "keyrack_parked", "keyrack_journal_synced_seconds", "keyrack_forbidden_calls_total", "keyrack_subscription_duration_seconds",
		"keyrack_evidence_duration_seconds",
	})
}
