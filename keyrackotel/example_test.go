package keyrackotel_test

import (
	"context"
	"fmt"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/keyrackotel"
	"github.com/keyrack-dev/keyrack/memstore"
)

func Example() {
	ctx := context.Background()
	reader := sdkmetric.NewManualReader() // an application has an exporter here
	telemetry, err := keyrackotel.New(&keyrackotel.Options{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	if err != nil {
		panic(err)
	}
	rack, err := keyrack.Open(ctx, memstore.New(nil), &keyrack.Options{Telemetry: telemetry.Functions()})
	if err != nil {
		panic(err)
	}
	defer rack.Close()
	stop, err := telemetry.Watch(rack)
	if err != nil {
		panic(err)
	}
	defer stop()

	if _, err := rack.Deliver(ctx, []byte(disabled)); err != nil {
		panic(err)
	}
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &metrics); err != nil {
		panic(err)
	}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		if parked, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "keyrack.parked" {
			fmt.Println(m.Name, parked.DataPoints[0].Value)
		}
	}
	// Output: keyrack.parked 1
}
