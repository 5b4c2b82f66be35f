package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/probe"
	"github.com/keyrack-dev/keyrack/internal/settings"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// What the package's defaults are, as its comments give them.
const (
	storeTimeout = 4 * time.Second
	pollEvery    = time.Second
	bodyLimit    = 64 << 10
)

// TestOptionsThatMakeNoSense are refused, by the name of the field, its value and what
// is allowed.
func TestOptionsThatMakeNoSense(t *testing.T) {
	type policy = keyrack.Policy
	for says, o := range map[string]keyrack.Options{
		"Options.Horizon is -1s; it must be from 1ms to 720h0m0s":              {Horizon: -time.Second},
		"Options.Horizon is 2562047h47m16.854775807s; it must be":              {Horizon: math.MaxInt64},
		"Options.StoreTimeout is 4ns; it must be from 1ms":                     {StoreTimeout: 4},
		"Options.Poll is 1µs; it must be from 1ms to 24h0m0s":                  {Poll: time.Microsecond},
		"Options.Poll is 2562047h47m16.854775807s":                             {Poll: math.MaxInt64},
		"Options.Takeover is 2ns; it must be from 100ms to 24h0m0s":            {Takeover: 2},
		"Options.Takeover is 2562047h47m16.854775807s":                         {Takeover: math.MaxInt64},
		"Options.ProbeRate is NaN; it must be from one a day (1e-05) to 1000":  {ProbeRate: math.NaN()},
		"Options.ProbeRate is -1; it must be":                                  {ProbeRate: -1},
		"Options.ProbeRate is 1e-300; it must be":                              {ProbeRate: 1e-300},
		"Options.ProbeRate is 1e+300; it must be":                              {ProbeRate: 1e300},
		"Options.ProbeRate is +Inf; it must be":                                {ProbeRate: math.Inf(1)},
		"Options.TrustDeliveries is true without a Prober":                     {TrustDeliveries: true},
		"Options.Retention.Age is 1ns; it must be from 1m0s":                   {Retention: keyrack.Retention{Age: 1}},
		"Options.Retention.Age is 2562047h47m16.854775807s":                    {Retention: keyrack.Retention{Age: math.MaxInt64}},
		"Options.Policy.MaxAge is -1ns; it must be from 1ms to 87600h0m0s":     {Policy: policy{MaxAge: -1}},
		"Options.Policy.MaxAge is 2562047h47m16.854775807s":                    {Policy: policy{MaxAge: math.MaxInt64}},
		"Options.Policy.MaxAge is 1s; with a prober it must be at least 10s":   {Policy: policy{MaxAge: time.Second}, Prober: newOracle()},
		"Options.Policy.Grace is 30ns; it must be":                             {Policy: policy{Grace: 30}},
		"Options.Policy.Levels is 3; it must be 1 or 2":                        {Policy: policy{Levels: 3}},
		"Options.Policy.AssumeAfter is -1h0m0s; it must be":                    {Policy: policy{Assume: true, AssumeAfter: -time.Hour}},
		"Options.Policy.AssumeAfter is 1h0m0s; it goes with Policy.Assume":     {Policy: policy{AssumeAfter: time.Hour}},
		"Options.Policy.CanceledFor is 1h0m0s; it goes with":                   {Policy: policy{CanceledFor: time.Hour}},
		"Options.Policy.Canceled is 99; it must be CanceledInvalid":            {Policy: policy{Canceled: 99}},
		"Options.Policy.Reinstated is 99; it must be Unset, No or Yes":         {Policy: policy{Reinstated: 99}},
		"Options.Policy.ProveSince is 1; the Rack sets it":                     {Policy: policy{ProveSince: 1}, Prober: newOracle()},
		"Options.Policy.ProveSince is -1; the Rack sets it":                    {Policy: policy{ProveSince: -1}},
		"Options.Poll is 8760h0m0s; it must be":                                {Poll: 365 * 24 * time.Hour},
		"Options.Prober is a nil *connector.Client; give one":                  {Prober: (*connector.Client)(nil)},
		"Options.Sealer is a nil *seal.Ring; give one":                         {Sealer: (*seal.Ring)(nil)},
		"Options.ProbeRate is 5 without a Prober":                              {ProbeRate: 5},
		"Options.Policy.AssumeAfter is 2h0m0s, above Policy.MaxAge (1h0m0s)":   {Policy: policy{Assume: true, AssumeAfter: 2 * time.Hour, MaxAge: time.Hour}},
		"Options.Policy.AssumeAfter is 48h0m0s, above Policy.MaxAge (24h0m0s)": {Policy: policy{Assume: true, AssumeAfter: 48 * time.Hour}, Prober: newOracle()},
		"Options.Patience is 1ns; it must be from 1ms to 24h0m0s":              {Patience: 1},
	} {
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), &o)
		if !errors.Is(err, keyrack.ErrInvalid) || rack != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	for _, none := range []store.Store{nil, (*memstore.Store)(nil)} {
		if _, err := keyrack.Open(t.Context(), none, nil); !errors.Is(err, keyrack.ErrInvalid) || !strings.Contains(err.Error(), "Open needs a store") {
			t.Errorf("%T: %v", none, err)
		}
	}
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	for _, path := range []string{
		"webhooks/mews", "/mews?Token=x", "/mews#x", "/a b", "//a", "/a//b", "/a//", "/a/../b", "/./a", "/a/..", "/a/.", "/..", "/.", "/a\n", "/a\x00", "/%41", "/ä", "/\xff", " /a",
	} {
		h, err := rack.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true, Path: path})
		if says := fmt.Sprintf("HandlerOptions.Path is %q; it must begin with a slash", path); !errors.Is(err, keyrack.ErrInvalid) || h != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", path, err)
		}
	}
	for _, limit := range []int64{-1, math.MaxInt64} {
		h, err := rack.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true, BodyLimit: limit})
		if says := fmt.Sprintf("HandlerOptions.BodyLimit is %d; it must be from 1 to 67108864 bytes", limit); !errors.Is(err, keyrack.ErrInvalid) || h != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%d: %v", limit, err)
		}
	}
	one, other := keyrack.Secret{Name: "one", Value: keyrack.NewToken("hunter2")}, keyrack.Secret{Name: "one", Value: keyrack.NewToken("hunter3")}
	for says, given := range map[string]struct {
		secrets []keyrack.Secret
		options keyrack.HandlerOptions
	}{
		"HandlerOptions.WithoutSecret is true beside 1 secrets": {[]keyrack.Secret{one}, keyrack.HandlerOptions{WithoutSecret: true}},
		"HandlerOptions.General is a nil http.HandlerFunc":      {[]keyrack.Secret{one}, keyrack.HandlerOptions{General: http.HandlerFunc(nil)}},
		`two secrets have the name "one"; give each its own`:    {[]keyrack.Secret{one, other}, keyrack.HandlerOptions{}},
	} {
		h, err := rack.Handler(given.secrets, &given.options)
		if !errors.Is(err, keyrack.ErrInvalid) || h != nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", says, err)
		}
	}
	nothing := func(context.Context, keyrack.Change) error { return nil }
	for says, o := range map[string]keyrack.SubscribeOptions{
		"SubscribeOptions.Attempts is -1; it must be above 0":                                               {Attempts: -1},
		"SubscribeOptions.Timeout is 30ns; it must be from 1ms to 24h0m0s":                                  {Timeout: 30},
		"SubscribeOptions.Timeout is -1s":                                                                   {Timeout: -time.Second},
		"SubscribeOptions.Timeout is 2562047h47m16.854775807s":                                              {Timeout: math.MaxInt64},
		`SubscribeOptions.Kinds has "Status"; the kinds are status, state, token, alarm, succeeded and any`: {Kinds: []keyrack.ChangeKind{keyrack.ChangeAny, "Status"}},
		`SubscribeOptions.Kinds has ""`:                                                                     {Kinds: []keyrack.ChangeKind{""}},
	} {
		if err := rack.Subscribe("test", nothing, &o); !errors.Is(err, keyrack.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestSubscriptionNames: a name that an operator could neither see nor type is refused.
func TestSubscriptionNames(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	nothing := func(context.Context, keyrack.Change) error { return nil }
	for _, name := range []string{"", " ", " \t", "bill\ning", "billing\x00", "\x1b[2J", "\xff", "\u0085"} {
		err := rack.Subscribe(name, nothing, nil)
		if says := fmt.Sprintf("the subscription's name is %q; give it one", name); !errors.Is(err, keyrack.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := rack.Subscribe("billing", nil, nil); !errors.Is(err, keyrack.ErrInvalid) || !strings.Contains(err.Error(), "has no handler; give") {
		t.Errorf("no handler: %v", err)
	}
	if err := rack.Subscribe("Buchhaltung für Hotels", nothing, nil); err != nil {
		t.Error(err)
	}
}

// TestOptionsAtTheirBounds are taken: what the comments allow is allowed.
func TestOptionsAtTheirBounds(t *testing.T) {
	if settings.LeastMaxAge != probe.Gap {
		t.Errorf("the least MaxAge is %v, and the time between two probes %v", settings.LeastMaxAge, probe.Gap)
	}
	const day = 24 * time.Hour
	for _, o := range []keyrack.Options{
		{
			Horizon: time.Millisecond, StoreTimeout: time.Millisecond, Poll: time.Millisecond, Takeover: 100 * time.Millisecond,
			Retention: keyrack.Retention{Age: time.Minute, Entries: 1}, Policy: keyrack.Policy{MaxAge: time.Millisecond, Levels: 1},
		},
		{ProbeRate: 1. / 86400, Prober: newOracle()},
		{
			Horizon: 30 * day, StoreTimeout: time.Hour, Poll: day, Takeover: day, ProbeRate: 1000,
			Retention: keyrack.Retention{Age: -1, Entries: -1}, TrustDeliveries: true, Prober: newOracle(),
			Policy: keyrack.Policy{MaxAge: 3650 * day, Grace: 3650 * day, Assume: true, AssumeAfter: 3650 * day, Levels: 2,
				Canceled: lifecycle.CanceledUsable, CanceledFor: 3650 * day, Reinstated: lifecycle.Yes},
		},
	} {
		o.Sealer = seal.Ephemeral()
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), &o)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/", "/a", "/a/", "/a.b/c-d_e~f", "/a:b@c"} {
			if _, err := rack.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true, Path: path, BodyLimit: 64 << 20}); err != nil {
				t.Errorf("%q: %v", path, err)
			}
		}
		if err := rack.Close(); err != nil {
			t.Error(err)
		}
	}
}
