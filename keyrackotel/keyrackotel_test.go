package keyrackotel_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/keyrackotel"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	theSecret      = "MADEUPSECRET-0123456789"
	theToken       = "MADEUPTOKEN-0123456789"
	theIntegration = "9e5e84e9-974d-4f16-9662-ab2200f27cb1"
	created        = `{"Action":"IntegrationCreated","Data":{"Enterprise":{"Id":"8865aa96-f62d-4f9b-a912-ab2100f60f42","Name":"Hotel"},` +
		`"Service":{"Id":"ec9d261c-1ef1-4a6e-8565-ab2200f27cb1","Name":"Stay"},"Requestor":{"Name":"Made Up","Email":"made@up.example"},` +
		`"Integration":{"Id":"` + theIntegration + `","Name":"Sample"},"AccessToken":"` + theToken + `","CreatedUtc":"2019-12-13T14:42:52Z","IsEnabled":true}}`
	disabled  = `{"Action":"IntegrationDisabled","Data":{"Integration":{"Id":"` + theIntegration + `","Name":"Sample"}}}`
	elsewhere = `{"Action":"IntegrationDisabled","Data":{"Integration":{"Id":"late","Name":"Sample"}}}`
)

// moody is a store that refuses commits, or fails, as often as it is told.
type moody struct {
	*memstore.Store
	conflicts, failures atomic.Int64
	unreadable          atomic.Bool
}

func (s *moody) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if s.conflicts.Add(-1) >= 0 {
		return store.Committed{}, store.ErrConflict
	}
	if s.failures.Add(-1) >= 0 {
		return store.Committed{}, errors.New("made-up: " + theToken)
	}
	return s.Store.Commit(ctx, c)
}

func (s *moody) Bounds(ctx context.Context) (store.Position, store.Position, error) {
	if s.unreadable.Load() {
		return 0, 0, errors.New("made-up")
	}
	return s.Store.Bounds(ctx)
}

// mews answers as it is told.
type mews struct {
	answer atomic.Pointer[connector.Answer]
}

func (m *mews) Probe(context.Context, lifecycle.Token, string) (connector.Answer, error) {
	a := *m.answer.Load()
	if a.Kind == connector.Silent {
		return a, &connector.Error{Class: connector.TimedOut}
	}
	return a, nil
}

// scene is a Rack on which everything happens that is told.
type scene struct {
	*testing.T
	store    *moody
	mews     *mews
	rack     *keyrack.Rack
	webhooks http.Handler
	reader   *sdkmetric.ManualReader
	spans    *tracetest.InMemoryExporter
	stop     func() error
}

func play(t *testing.T, act func(s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, store: &moody{Store: memstore.New(nil)}, mews: new(mews), reader: sdkmetric.NewManualReader(), spans: tracetest.NewInMemoryExporter()}
		s.mews.answer.Store(&connector.Answer{Kind: connector.Accepted, Status: 200, Enterprise: lifecycle.Named{ID: "8865aa96-f62d-4f9b-a912-ab2100f60f42"}})
		telemetry, err := keyrackotel.New(&keyrackotel.Options{
			MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader)),
			TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.spans)),
		})
		if err != nil {
			t.Fatal(err)
		}
		s.rack, err = keyrack.Open(context.Background(), s.store, &keyrack.Options{Telemetry: telemetry.Functions(), Prober: s.mews})
		if err != nil {
			t.Fatal(err)
		}
		if s.stop, err = telemetry.Watch(s.rack); err != nil {
			t.Fatal(err)
		}
		if s.webhooks, err = s.rack.Handler([]keyrack.Secret{{Name: "test", Value: keyrack.NewToken(theSecret)}}, nil); err != nil {
			t.Fatal(err)
		}
		act(s)
		if err := s.rack.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (s *scene) deliver(secret, body string, want int) {
	s.Helper()
	w := httptest.NewRecorder()
	s.webhooks.ServeHTTP(w, httptest.NewRequest(http.MethodPost, keyrack.DefaultPath+"?Token="+secret, strings.NewReader(body)))
	if w.Code != want {
		s.Errorf("answered %d, want %d", w.Code, want)
	}
	synctest.Wait()
}

// everything has each signal come at least once.
func (s *scene) everything() {
	fail := atomic.Bool{}
	fail.Store(true)
	err := s.rack.Subscribe("mail", func(context.Context, keyrack.Change) error {
		if fail.Load() {
			return errors.New("made-up")
		}
		return nil
	}, &keyrack.SubscribeOptions{Attempts: 1, Kinds: []keyrack.ChangeKind{keyrack.ChangeStatus}})
	if err != nil {
		s.Fatal(err)
	}
	synctest.Wait()
	s.deliver(theSecret, created, 204)
	testkit.Settle(time.Minute)
	fail.Store(false)
	s.deliver(theSecret, strings.Replace(created, "8865aa96", "00000000", 1), 204) // an alarm
	testkit.Settle(time.Minute)
	s.store.conflicts.Store(1)
	s.mews.answer.Store(&connector.Answer{Kind: connector.Unauthorized, Status: 401})
	s.deliver(theSecret, disabled, 204)
	testkit.Settle(time.Minute)
	s.mews.answer.Store(&connector.Answer{})
	s.deliver(theSecret, disabled, 204)
	testkit.Settle(5 * time.Second)
	s.deliver(theSecret, elsewhere, 204)
	s.store.failures.Store(2)
	s.deliver(theSecret, disabled, 503)
	s.deliver("another", disabled, 401)
	s.deliver(theSecret, "{", 400)
	testkit.Settle(time.Second)
}

func (s *scene) collect() []metricdata.Metrics {
	s.Helper()
	var all metricdata.ResourceMetrics
	if err := s.reader.Collect(context.Background(), &all); err != nil {
		s.Fatal(err)
	}
	if len(all.ScopeMetrics) != 1 {
		s.Fatalf("%d scopes", len(all.ScopeMetrics))
	}
	metrics := all.ScopeMetrics[0].Metrics
	slices.SortFunc(metrics, func(a, b metricdata.Metrics) int { return strings.Compare(a.Name, b.Name) })
	return metrics
}

// point is a data point of any kind.
type point struct {
	attributes attribute.Set
	value      string
}

// read returns what kind a metric is, and its points in order.
func read(m metricdata.Metrics) (kind string, points []point) {
	switch data := m.Data.(type) {
	case metricdata.Histogram[float64]:
		kind = "histogram"
		for _, p := range data.DataPoints {
			points = append(points, point{p.Attributes, fmt.Sprintf("%d of %gs in %v", p.Count, p.Sum, p.Bounds)})
		}
	case metricdata.Sum[int64]:
		kind = "counter"
		if !data.IsMonotonic {
			kind = "up-down counter"
		}
		for _, p := range data.DataPoints {
			points = append(points, point{p.Attributes, fmt.Sprint(p.Value)})
		}
	case metricdata.Gauge[int64]:
		kind = "gauge"
		for _, p := range data.DataPoints {
			points = append(points, point{p.Attributes, fmt.Sprint(p.Value)})
		}
	case metricdata.Gauge[float64]:
		kind = "gauge"
		for _, p := range data.DataPoints {
			points = append(points, point{p.Attributes, fmt.Sprint(p.Value)})
		}
	}
	slices.SortFunc(points, func(a, b point) int { return strings.Compare(written(a.attributes), written(b.attributes)) })
	return kind, points
}

func written(s attribute.Set) string { return s.Encoded(attribute.DefaultEncoder()) }

// TestInstruments keeps all instruments, with all their attributes, where a person can
// review them, because dashboards rely on these names.
func TestInstruments(t *testing.T) {
	play(t, func(s *scene) {
		s.everything()
		var b strings.Builder
		for _, m := range s.collect() {
			kind, points := read(m)
			keys := map[string]bool{}
			for _, p := range points {
				for _, a := range p.attributes.ToSlice() {
					keys[string(a.Key)] = true
				}
			}
			fmt.Fprintf(&b, "%s (%s, %s) {%s}\n    %s\n", m.Name, kind, m.Unit, strings.Join(slices.Sorted(maps.Keys(keys)), ", "), m.Description)
		}
		testkit.Golden(t, "instruments.txt", b.String())
	})
}

// TestMetrics keeps what the metrics say after everything has happened. Time is
// virtual, and takes none.
func TestMetrics(t *testing.T) {
	play(t, func(s *scene) {
		s.everything()
		var b strings.Builder
		for _, m := range s.collect() {
			_, points := read(m)
			for _, p := range points {
				// How often the background looks at the store is not the point here.
				method, _ := p.attributes.Value("keyrack.store.method")
				if m.Name == "keyrack.store.duration" && method.AsString() != "Commit" {
					continue
				}
				fmt.Fprintf(&b, "%s{%s} %s\n", m.Name, written(p.attributes), p.value)
			}
		}
		testkit.Golden(t, "metrics.txt", b.String())
	})
}

// TestForbiddenCalls: own calls that lack a permission are counted, and the one that found it
// out is not.
func TestForbiddenCalls(t *testing.T) {
	play(t, func(s *scene) {
		s.deliver(theSecret, created, 204)
		testkit.Settle(time.Hour)
		for range 3 {
			report := keyrack.Report{Token: keyrack.NewToken(theToken), Status: http.StatusUnauthorized, Operation: "reservations/getAll"}
			if _, err := s.rack.Report(context.Background(), report); err != nil {
				t.Fatal(err)
			}
			testkit.Settle(10 * time.Minute)
		}
		counted := ""
		for _, m := range s.collect() {
			if _, points := read(m); m.Name == "keyrack.forbidden_calls" {
				counted = fmt.Sprint(len(points), " ", points[0].value)
			}
		}
		if counted != "1 2" {
			t.Errorf("counted %q, want 2 at one point", counted)
		}
	})
}

// TestVerdictsStay: a verdict that nobody has any more is 0, and not gone.
func TestVerdictsStay(t *testing.T) {
	play(t, func(s *scene) {
		value := func(reason string) string {
			for _, m := range s.collect() {
				_, points := read(m)
				for _, p := range points {
					if v, _ := p.attributes.Value("keyrack.verdict.reason"); m.Name == "keyrack.verdicts" && v.AsString() == reason {
						return p.value
					}
				}
			}
			return ""
		}
		s.deliver(theSecret, created, 204)
		testkit.Settle(time.Minute)
		if got := value("live"); got != "1" {
			t.Errorf("live %q", got)
		}
		s.mews.answer.Store(&connector.Answer{Kind: connector.Unauthorized, Status: 401})
		s.deliver(theSecret, disabled, 204)
		testkit.Settle(time.Minute)
		if live, off := value("live"), value("disabled")+value("rejected"); live != "0" || off != "1" {
			t.Errorf("live %q, not live %q", live, off)
		}
	})
}

// TestUnreadableStore: what cannot be known is not there, and after stop nothing is.
func TestUnreadableStore(t *testing.T) {
	play(t, func(s *scene) {
		names := func() (all []string) {
			for _, m := range s.collect() {
				all = append(all, m.Name)
			}
			return all
		}
		if !slices.Contains(names(), "keyrack.journal.lag") {
			t.Error("no lag though the store can be read")
		}
		s.store.unreadable.Store(true)
		if all := names(); slices.Contains(all, "keyrack.journal.lag") || !slices.Contains(all, "keyrack.journal.synced") {
			t.Errorf("there are %v", all)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		if all := names(); slices.Contains(all, "keyrack.journal.synced") {
			t.Errorf("after stop there are %v", all)
		}
	})
}

// TestSpans keeps the traces: which spans there are, within which, with what.
func TestSpans(t *testing.T) {
	play(t, func(s *scene) {
		s.everything()
		spans := s.spans.GetSpans()
		children := map[string]tracetest.SpanStubs{}
		for _, span := range spans {
			parent := ""
			if span.Parent.IsValid() {
				parent = span.Parent.SpanID().String()
			}
			children[parent] = append(children[parent], span)
		}
		ids := map[string]string{}
		var b strings.Builder
		var write func(parent, indent string)
		write = func(parent, indent string) {
			all := children[parent]
			slices.SortStableFunc(all, func(a, b tracetest.SpanStub) int {
				if order := a.StartTime.Compare(b.StartTime); order != 0 || parent != "" {
					return order // within one piece of work they end in order
				}
				return strings.Compare(a.Name, b.Name)
			})
			for _, span := range all {
				fmt.Fprintf(&b, "%s%s (%v)", indent, span.Name, span.SpanKind)
				if span.Status.Code != codes.Unset {
					fmt.Fprintf(&b, " %v", span.Status.Code)
				}
				b.WriteString("\n")
				for _, a := range span.Attributes {
					value := a.Value.String()
					if a.Key == "keyrack.entry.id" { // differs from run to run
						if ids[value] == "" {
							ids[value] = fmt.Sprint("entry ", len(ids)+1)
						}
						value = ids[value]
					}
					fmt.Fprintf(&b, "%s    %s: %s\n", indent, a.Key, value)
				}
				for _, event := range span.Events {
					fmt.Fprintf(&b, "%s    * %s", indent, event.Name)
					for _, a := range event.Attributes {
						fmt.Fprintf(&b, " %s=%s", a.Key, a.Value.String())
					}
					b.WriteString("\n")
				}
				write(span.SpanContext.SpanID().String(), indent+"  ")
			}
		}
		write("", "")
		testkit.Golden(t, "spans.txt", b.String())
		for _, secret := range []string{theToken, "Made Up", "made@up", theSecret} {
			if all := fmt.Sprintf("%+v", spans); strings.Contains(all, secret) {
				t.Errorf("a span has %q", secret)
			}
		}
	})
}

// TestWithinTheApplicationsSpan: a delivery is part of the trace of the server
// that took the request, and then no server itself; the application's own span
// is not ended, even where the work has none.
func TestWithinTheApplicationsSpan(t *testing.T) {
	play(t, func(s *scene) {
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.spans)).Tracer("application")
		ctx, span := tracer.Start(context.Background(), "POST /webhooks")
		req := httptest.NewRequest(http.MethodPost, keyrack.DefaultPath+"?Token="+theSecret, strings.NewReader(created)).WithContext(ctx)
		s.webhooks.ServeHTTP(httptest.NewRecorder(), req)
		if _, _, err := s.rack.Token(ctx, theIntegration); err != nil {
			t.Error(err)
		}
		if !span.IsRecording() {
			t.Error("the application's span was ended")
		}
		span.End()
		want := map[string]string{"keyrack.delivery": "internal", "keyrack.store Sealed": "internal"}
		for _, one := range s.spans.GetSpans() {
			if kind, ok := want[one.Name]; ok && one.Parent.SpanID() == span.SpanContext().SpanID() {
				if one.SpanKind.String() != kind {
					t.Errorf("%s is of kind %v", one.Name, one.SpanKind)
				}
				delete(want, one.Name)
			}
		}
		if len(want) > 0 {
			t.Errorf("not within the application's span: %v", want)
		}
	})
}

// TestConventions: what has a name in the semantic conventions is called so.
func TestConventions(t *testing.T) {
	play(t, func(s *scene) {
		s.everything()
		keys := map[attribute.Key]bool{}
		for _, m := range s.collect() {
			_, points := read(m)
			for _, p := range points {
				for _, a := range p.attributes.ToSlice() {
					keys[a.Key] = true
				}
			}
		}
		for _, key := range []attribute.Key{semconv.ErrorTypeKey, semconv.HTTPResponseStatusCodeKey} {
			if !keys[key] {
				t.Errorf("nothing has %s", key)
			}
			delete(keys, key)
		}
		for key := range keys {
			if !strings.HasPrefix(string(key), "keyrack.") {
				t.Errorf("%s is neither a convention's nor ours", key)
			}
		}
	})
}
