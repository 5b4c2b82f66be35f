package keyrack_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/memstore"
)

// What the package's defaults are, as its comments give them.
const (
	storeTimeout = 4 * time.Second
	pollEvery    = time.Second
	bodyLimit    = 64 << 10
)

// TestOptionsThatCannotBeMeant are refused when a Rack is opened, by the name of the field.
func TestOptionsThatCannotBeMeant(t *testing.T) {
	for field, o := range map[string]keyrack.Options{
		"Horizon":            {Horizon: -time.Second},
		"StoreTimeout":       {StoreTimeout: 4}, // nanoseconds
		"Poll":               {Poll: time.Microsecond},
		"Takeover":           {Takeover: 2},
		"ProbeRate":          {ProbeRate: math.NaN()},
		"Policy.MaxAge":      {Policy: keyrack.Policy{MaxAge: -1}},
		"Policy.Grace":       {Policy: keyrack.Policy{Grace: 30}},
		"Policy.Levels":      {Policy: keyrack.Policy{Levels: 3}},
		"Policy.AssumeAfter": {Policy: keyrack.Policy{AssumeAfter: -time.Hour}},
		"Policy.CanceledFor": {Policy: keyrack.Policy{CanceledFor: time.Hour}},
		"Policy names":       {Policy: keyrack.Policy{Canceled: 99}},
	} {
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), &o)
		if !errors.Is(err, keyrack.ErrInvalid) || rack != nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, rate := range []float64{-1, math.Inf(1)} {
		if _, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{ProbeRate: rate}); !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("a rate of %v: %v", rate, err)
		}
	}
	asking := keyrack.Options{Prober: newOracle(), Policy: keyrack.Policy{MaxAge: time.Second}}
	if _, err := keyrack.Open(t.Context(), memstore.New(nil), &asking); !errors.Is(err, keyrack.ErrInvalid) {
		t.Errorf("a MaxAge below the gap of probes: %v", err)
	}
	if _, err := keyrack.Open(t.Context(), nil, nil); !errors.Is(err, keyrack.ErrInvalid) {
		t.Errorf("no store: %v", err)
	}
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	for name, o := range map[string]keyrack.HandlerOptions{
		"a path without its slash": {Path: "webhooks/mews"}, "a path with a query": {Path: "/mews?Token=x"}, "a limit below 0": {BodyLimit: -1},
	} {
		o.WithoutSecret = true
		if h, err := rack.Handler(nil, &o); !errors.Is(err, keyrack.ErrInvalid) || h != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	nothing := func(context.Context, keyrack.Change) error { return nil }
	for _, o := range []keyrack.SubscribeOptions{{Attempts: -1}, {Timeout: 30}, {Timeout: -time.Second}} {
		if err := rack.Subscribe("test", nothing, &o); !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
