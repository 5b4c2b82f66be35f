package main

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
)

// TestOptionsHaveFlags: what the library can do the sidecar can be told: each field has a
// flag, and with it a variable, or a reason here why not.
func TestOptionsHaveFlags(t *testing.T) {
	flagOf := map[string]string{
		"Options.Horizon": "horizon", "Options.SetDefaults": "set-defaults", "Options.StoreTimeout": "store-timeout", "Options.TrustDeliveries": "trust-deliveries", "Options.PassLabels": "pass-labels",
		"Options.ProbeRate": "probe-rate", "Options.Poll": "poll", "Options.Takeover": "takeover",
		"Options.KeepRequestor": "keep-requestor", "Options.MaxIntegrations": "max-integrations", "Options.Sealer": "sealing-key-file", "Options.Prober": "connector-url",
		"Options.Logger": "log-format", "Retention.Age": "retention-age", "Retention.Entries": "retention-entries",
		"Policy.Canceled": "canceled", "Policy.CanceledFor": "canceled-for", "Policy.Levels": "levels",
		"Policy.Reinstated": "reinstated", "Policy.Grace": "grace", "Policy.Assume": "assume",
		"Policy.AssumeAfter": "assume-after", "Policy.MaxAge": "max-age",
		"HandlerOptions.Path": "webhook-path", "HandlerOptions.WithoutSecret": "without-secret",
		"pgstore.Schema": "schema", "pgstore.SkipMigrations": "skip-migrations", "pgstore.Pooler": "pooler",
	}
	reasons := map[string]string{
		"Options.Policy":           "its own fields have flags",
		"Options.Retention":        "its own fields have flags",
		"Options.Guest":            "verbs that work on a store set it",
		"Options.Telemetry":        "/metrics is that",
		"Options.Patience":         "While is for those who embed the library",
		"Policy.ProveSince":        "a Rack that asks Mews sets it; --trust-deliveries says otherwise",
		"HandlerOptions.General":   "the sidecar has no business with General Webhooks",
		"HandlerOptions.BodyLimit": "64 KiB are 20 times the largest webhook that Mews documents",
		"HandlerOptions.AnyPath":   "the sidecar has no router in front of its handler",
		"pgstore.Poll":             "--poll is how often the Rack looks",
		"pgstore.NoListen":         "--pooler implies it",
		"pgstore.OnPooler":         "the log of serve is told",
	}
	serve, _, err := newRoot(func(string) string { return "" }).Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for prefix, of := range map[string]any{
		"Options": keyrack.Options{}, "Retention": keyrack.Retention{}, "Policy": keyrack.Policy{},
		"HandlerOptions": keyrack.HandlerOptions{}, "pgstore": pgstore.Options{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(of)) {
			name := prefix + "." + field.Name
			known[name] = true
			flag, has := flagOf[name]
			_, excused := reasons[name]
			switch {
			case has == excused:
				t.Errorf("%s: give it a flag or a reason, and not both", name)
			case has && serve.Flags().Lookup(flag) == nil:
				t.Errorf("%s: serve has no flag --%s", name, flag)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(flagOf)) {
		if !known[name] {
			t.Errorf("%s is no field", name)
		}
	}
	for name := range reasons {
		if !known[name] {
			t.Errorf("%s is no field", name)
		}
	}
	if len(reflect.VisibleFields(reflect.TypeFor[storage.Options]())) != 5 {
		t.Error("a field was added to storage.Options: give it a flag")
	}
}

// TestOtherPolicy: what a change does not name stays, except for what goes with it alone.
func TestOtherPolicy(t *testing.T) {
	is := lifecycle.Policy{Canceled: lifecycle.CanceledUsable, CanceledFor: time.Hour, Reinstated: lifecycle.Yes, Assume: true, AssumeAfter: time.Minute, Levels: 2, Grace: time.Second, MaxAge: 48 * time.Hour}
	for changes, want := range map[string]func(*lifecycle.Policy){
		"max-age=12h":                    func(p *lifecycle.Policy) { p.MaxAge = 12 * time.Hour },
		"max-age=0":                      func(p *lifecycle.Policy) { p.MaxAge = 0 },
		"levels=1":                       func(p *lifecycle.Policy) { p.Levels = 1 },
		"grace=0":                        func(p *lifecycle.Policy) { p.Grace = 0 },
		"canceled=invalid":               func(p *lifecycle.Policy) { p.Canceled, p.CanceledFor = lifecycle.CanceledInvalid, 0 },
		"canceled=asks":                  func(p *lifecycle.Policy) { p.Canceled, p.CanceledFor = lifecycle.CanceledAsk, 0 },
		"canceled-for=2h":                func(p *lifecycle.Policy) { p.CanceledFor = 2 * time.Hour },
		"reinstated=keeps":               func(p *lifecycle.Policy) { p.Reinstated = lifecycle.No },
		"assume=false":                   func(p *lifecycle.Policy) { p.Assume, p.AssumeAfter = false, 0 },
		"assume-after=0,reinstated=asks": func(p *lifecycle.Policy) { p.AssumeAfter, p.Reinstated = 0, lifecycle.Unset },
	} {
		other := is
		want(&other)
		if got, err := otherPolicy(is, strings.Split(changes, ",")); err != nil || got != other {
			t.Errorf("%s: %+v, %v; want %+v", changes, got, err, other)
		}
	}
}
