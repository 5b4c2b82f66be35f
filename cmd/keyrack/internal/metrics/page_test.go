package metrics

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/memstore"
)

// TestPageStaysWellFormed: whatever is in a label, the page stays well-formed.
func TestPageStaysWellFormed(t *testing.T) {
	m := New("0.0.0")
	m.TokenIssued("a \"quoted\" \\ word\nand more")
	m.answered(keyrack.ServedRequest{Took: time.Hour})
	m.storing("a \"quoted\" \\ word\nand more").add(time.Hour)
	var x promWriter
	m.writeCounts(&x)
	sidecartest.WellFormed(t, x.String())
}

// TestSubscriptionMetrics: how the subscriptions of a store stand, as of a minute ago.
func TestSubscriptionMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		fail := func(context.Context, keyrack.Change) error { return errors.New("made-up") }
		if err := rack.Subscribe("mail", fail, &keyrack.SubscribeOptions{Attempts: 1, FromStart: true}); err != nil {
			t.Fatal(err)
		}
		m := New("0.0.0")
		expect := func(lag, dead, paused int) {
			t.Helper()
			var x promWriter
			writeJournal(context.Background(), &x, rack, m)
			page := x.String()
			sidecartest.WellFormed(t, page)
			for name, value := range map[string]int{"lag": lag, "dead_letters": dead, "paused": paused} {
				if line := fmt.Sprintf("keyrack_subscription_%s{subscription=\"mail\"} %d\n", name, value); !strings.Contains(page, line) {
					t.Errorf("there is no %sin:\n%s", line, page)
				}
			}
		}
		synctest.Wait()
		expect(0, 0, 0)
		if err := atrest.Pause(context.Background(), rack.Store(), "mail"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		for _, name := range []string{"created.json", "disabled.json"} {
			body, err := demo.Body(name)
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
		if err := atrest.Resume(context.Background(), rack.Store(), "mail"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		expect(0, 2, 0)
	})
}

// TestStoreMetrics: conflicts and failures of the store are counted.
func TestStoreMetrics(t *testing.T) {
	m := New("0.0.0")
	telemetry := m.Telemetry()
	telemetry.Taken(t.Context(), keyrack.Taken{Conflicts: 3})
	telemetry.Taken(t.Context(), keyrack.Taken{})
	telemetry.Stored(t.Context(), keyrack.StoreCall{Method: "Commit", Err: context.DeadlineExceeded, Took: 4 * time.Second})
	telemetry.Probed(t.Context(), keyrack.Probed{Class: connector.TimedOut, Took: 2 * time.Second})
	telemetry.Alarmed(t.Context(), keyrack.Alarm{Kind: keyrack.AlarmTrouble})
	var x promWriter
	m.writeCounts(&x)
	sidecartest.WellFormed(t, x.String())
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
