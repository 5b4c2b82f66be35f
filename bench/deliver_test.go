package main

import (
	"context"
	"fmt"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// BenchmarkDelivery is what there is to profile of a delivery. The samples that count have
// a label, so that what prepares the deliveries is left out:
//
//	go test -run '^$' -bench Delivery/IntegrationCreated -benchtime 4000x -cpuprofile cpu.out
//	go tool pprof -tagfocus part=measured -top -cum bench.test cpu.out
func BenchmarkDelivery(b *testing.B) {
	for a, status := range map[lifecycle.Action]lifecycle.Status{
		lifecycle.IntegrationCreated: lifecycle.Valid, lifecycle.IntegrationDisabled: lifecycle.Invalid,
	} {
		b.Run(a.String(), func(b *testing.B) {
			rack, err := openRack()
			if err != nil {
				b.Fatal(err)
			}
			defer rack.Close()
			w := of("keyrack", a, func(body []byte) error {
				_, err := rack.Deliver(context.Background(), body)
				return err
			}, func(n int) error {
				if v := rack.Check(tokenText(n)); v.Status != status {
					return fmt.Errorf("the token is %v", v)
				}
				return nil
			})
			best := time.Hour
			b.ReportAllocs()
			b.ResetTimer()
			b.StopTimer()
			for range b.N {
				if err := w.before(); err != nil {
					b.Fatal(err)
				}
				pprof.Do(b.Context(), pprof.Labels("part", "measured"), func(context.Context) {
					b.StartTimer()
					began := time.Now()
					err = w.batch()
					best = min(best, time.Since(began))
					b.StopTimer()
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(best.Nanoseconds())/batch, "ns-delivery-at-best")
		})
	}
}
