package keyrackotel

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// The attributes. Those without "keyrack" come from the semantic conventions.
const (
	errorTypeKey = attribute.Key("error.type")
	statusKey    = attribute.Key("http.response.status_code")

	actionKey       = attribute.Key("keyrack.action")
	alarmKey        = attribute.Key("keyrack.alarm.kind")
	attemptKey      = attribute.Key("keyrack.subscription.attempt")
	causeKey        = attribute.Key("keyrack.cause")
	conflictsKey    = attribute.Key("keyrack.evidence.conflicts")
	entryKey        = attribute.Key("keyrack.entry.id")
	integrationKey  = attribute.Key("keyrack.integration.id")
	kindKey         = attribute.Key("keyrack.evidence.kind")
	methodKey       = attribute.Key("keyrack.store.method")
	outcomeKey      = attribute.Key("keyrack.outcome")
	probeKey        = attribute.Key("keyrack.probe.result")
	reasonKey       = attribute.Key("keyrack.verdict.reason")
	secretKey       = attribute.Key("keyrack.secret.name")
	stateKey        = attribute.Key("keyrack.state")
	storeKey        = attribute.Key("keyrack.store.result")
	subscriptionKey = attribute.Key("keyrack.subscription.name")
	verdictKey      = attribute.Key("keyrack.verdict.status")
)

// spanKey is the context key of the span of the innermost work, nil for work without
// one. The context's current span may belong to the application.
type spanKey struct{}

// begin begins a span.
func (t *Telemetry) begin(ctx context.Context, work keyrack.Work, name string) context.Context {
	outer := trace.SpanContextFromContext(ctx).IsValid()
	title, kind := "keyrack."+string(work), trace.SpanKindInternal
	switch work {
	case keyrack.WorkDelivery:
		if !outer { // else the application's own span is the server's
			kind = trace.SpanKindServer
		}
	case keyrack.WorkStore:
		if !outer {
			return context.WithValue(ctx, spanKey{}, trace.Span(nil))
		}
		title += " " + name
	case keyrack.WorkProbe:
		kind = trace.SpanKindClient
	case keyrack.WorkSubscription:
		kind = trace.SpanKindConsumer
	}
	ctx, span := t.tracer.Start(ctx, title, trace.WithSpanKind(kind))
	return context.WithValue(ctx, spanKey{}, span)
}

// end ends the span of a context's work. failed marks it as an error.
func end(ctx context.Context, failed bool, attributes ...attribute.KeyValue) {
	span, _ := ctx.Value(spanKey{}).(trace.Span)
	if span == nil {
		return
	}
	span.SetAttributes(attributes...)
	if failed {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// known leaves out attributes with an empty value.
func known(attributes ...attribute.KeyValue) []attribute.KeyValue {
	kept := attributes[:0]
	for _, a := range attributes {
		if a.Value.Type() != attribute.STRING || a.Value.AsString() != "" {
			kept = append(kept, a)
		}
	}
	return kept
}

func with(attributes []attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(attributes...)
}

func (t *Telemetry) answered(ctx context.Context, o keyrack.ServedRequest) {
	bounded := known(statusKey.Int(o.Status), errorTypeKey.String(string(o.Refusal)), secretKey.String(o.Secret))
	t.ends.deliveries.Record(ctx, o.Took.Seconds(), with(bounded))
	end(ctx, o.Status >= 500, append(bounded, known(integrationKey.String(o.Receipt.Integration))...)...)
}

func (t *Telemetry) taken(ctx context.Context, e keyrack.Taken) {
	decision := e.Receipt.Decision
	bounded := []attribute.KeyValue{kindKey.String(e.Kind.String())}
	if e.Kind == lifecycle.KindDelivery && e.Err == nil {
		bounded = append(bounded, actionKey.String(decision.Action.String()))
	}
	if e.Err == nil {
		bounded = append(bounded, outcomeKey.String(decision.Outcome.String()))
	} else {
		bounded = append(bounded, errorTypeKey.String(keyrack.StoreCall{Err: e.Err}.Result()))
	}
	t.ends.evidence.Record(ctx, e.Took.Seconds(), with(bounded))
	if e.Conflicts > 0 {
		t.ends.conflicts.Add(ctx, int64(e.Conflicts))
	}
	attributes := append(bounded, conflictsKey.Int(e.Conflicts))
	if e.Err == nil {
		verdict := e.Receipt.Verdict
		attributes = append(attributes, known(
			entryKey.String(e.Receipt.ID.String()), integrationKey.String(e.Receipt.Integration), causeKey.String(decision.Cause),
			stateKey.String(decision.To.String()), verdictKey.String(verdict.Status.String()), reasonKey.String(verdict.Reason.String()),
		)...)
	}
	end(ctx, e.Err != nil, attributes...)
}

func (t *Telemetry) stored(ctx context.Context, s keyrack.StoreCall) {
	result := s.Result()
	attributes := []attribute.KeyValue{methodKey.String(s.Method), storeKey.String(result)}
	if s.Failed() {
		attributes = append(attributes, errorTypeKey.String(result))
	}
	t.ends.store.Record(ctx, s.Took.Seconds(), with(attributes))
	end(ctx, s.Failed(), attributes...)
}

func (t *Telemetry) probed(ctx context.Context, p keyrack.Probed) {
	silent := p.Kind == connector.Silent
	bounded := []attribute.KeyValue{probeKey.String(p.Result())}
	if silent {
		bounded = append(bounded, errorTypeKey.String(p.Class.String()))
	}
	t.ends.probes.Record(ctx, p.Took.Seconds(), with(bounded))
	attributes := append(bounded, integrationKey.String(p.Integration))
	if p.Status != 0 {
		attributes = append(attributes, statusKey.Int(p.Status))
	}
	end(ctx, silent, attributes...)
}

func (t *Telemetry) handled(ctx context.Context, h keyrack.Handled) {
	name := subscriptionKey.String(h.Subscription)
	bounded := known(name, errorTypeKey.String(h.Failure))
	t.ends.handlers.Record(ctx, h.Took.Seconds(), with(bounded))
	if h.Failure == "" {
		t.ends.ages.Record(ctx, h.Age.Seconds(), metric.WithAttributes(name))
	}
	dead := int64(0) // begins the series of a subscription, before its first dead letter
	if h.Dead {
		dead = 1
	}
	t.ends.deadLetters.Add(ctx, dead, metric.WithAttributes(name))
	attributes := append(bounded, attemptKey.Int(h.Attempt), entryKey.String(h.Entry.String()))
	end(ctx, h.Failure != "", append(attributes, known(integrationKey.String(h.Integration))...)...)
}

// alarmed counts an alarm and notes it in the span of the work that raised it.
func (t *Telemetry) alarmed(ctx context.Context, a keyrack.Alarm) {
	kind := alarmKey.String(string(a.Kind))
	t.ends.alarms.Add(ctx, 1, metric.WithAttributes(kind))
	trace.SpanFromContext(ctx).AddEvent("keyrack.alarm", trace.WithAttributes(
		known(kind, causeKey.String(a.Cause), integrationKey.String(a.Integration))...))
}
