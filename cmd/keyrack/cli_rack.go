package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// The defaults of a Rack.
const (
	defaultProbeRate = 10
	defaultHorizon   = 30 * time.Minute
)

// rackSettings are the options of a Rack and its policy, as far as a command line can say
// them. Each field of keyrack.Options and keyrack.Policy has a flag, or a reason in
// TestOptionsHaveFlags.
type rackSettings struct {
	options    keyrack.Options
	canceled   string // a key of canceledPolicies
	reinstated string // a key of reinstatedPolicies
}

// The values of --canceled and --reinstated. Empty is the default.
var (
	canceledPolicies = map[string]lifecycle.CanceledPolicy{
		"": lifecycle.CanceledInvalid, "invalid": lifecycle.CanceledInvalid, "usable": lifecycle.CanceledUsable, "asks": lifecycle.CanceledAsk,
	}
	reinstatedPolicies = map[string]lifecycle.Flag{
		"": lifecycle.Unset, "asks": lifecycle.Unset, "keeps": lifecycle.No, "sets": lifecycle.Yes,
	}
)

// policyFlags adds what is decided where Mews's documents are silent.
func (r *rackSettings) policyFlags(flags *pflag.FlagSet) {
	p := &r.options.Policy
	flags.DurationVar(&p.MaxAge, "max-age", 0, "how long valid lasts without news (default 24h if Mews is asked)")
	flags.IntVar(&p.Levels, "levels", 0, "switches that disable, 1 or 2 (default 1, or 2 if Mews is asked)")
	flags.StringVar(&r.reinstated, "reinstated", "", "`what` becomes of the enabled flag: asks (the default), keeps or sets")
	flags.StringVar(&r.canceled, "canceled", "", "a canceled token is: `invalid` (the default), usable or asks")
	flags.DurationVar(&p.CanceledFor, "canceled-for", 0, "with --canceled usable: for how long (default until deleted)")
	flags.DurationVar(&p.Grace, "grace", 0, "how long a token stays valid after its successor came")
	flags.BoolVar(&p.Assume, "assume", false, "answer the best guess instead of unknown, which may be wrong")
	flags.DurationVar(&p.AssumeAfter, "assume-after", 0, "with --assume: after this time without news")
}

// workFlags adds how the Rack works.
func (r *rackSettings) workFlags(flags *pflag.FlagSet) {
	o := &r.options
	flags.Float64Var(&o.ProbeRate, "probe-rate", defaultProbeRate, "probes of Mews per second, at most, if Mews is asked")
	flags.DurationVar(&o.Horizon, "horizon", defaultHorizon, "how late webhooks may arrive, repetitions included")
	flags.BoolVar(&o.PassLabels, "pass-labels", false, "where a hotel comes back, pass the labels on")
	flags.BoolVar(&o.TrustDeliveries, "trust-deliveries", false, "where Mews is asked: take a token as valid before Mews confirmed it")
	flags.IntVar(&o.MaxIntegrations, "max-integrations", 0, "the most that webhooks make (default 100000; below 0 any number)")
	flags.BoolVar(&o.KeepRequestor, "keep-requestor", false, "keep the persons who asked for an integration, sealed")
	flags.DurationVar(&o.StoreTimeout, "store-timeout", 0, "how long the store may take for a delivery (default and most 4s)")
	flags.DurationVar(&o.Poll, "poll", 0, "how often to look for what other instances did (default 1s)")
	flags.DurationVar(&o.Takeover, "takeover", 0, "after what silence another instance takes over (default 30s)")
}

// retentionFlags adds how much of the journal is kept.
func (r *rackSettings) retentionFlags(flags *pflag.FlagSet) {
	t := &r.options.Retention
	flags.DurationVar(&t.Age, "retention-age", 0, "how long the journal is kept (default 9600h; below 0 for ever)")
	flags.IntVar(&t.Entries, "retention-entries", 0, "entries kept of an integration (default 1000; below 0 all)")
}

// check checks the flags, except for the ranges of checkRanges, and puts the choices into the
// policy. The rest of the options is
// checked when the Rack is opened.
func (r *rackSettings) check() error {
	o, p := &r.options, &r.options.Policy
	if p.Levels < 0 || p.Levels > 2 {
		return usage.Errorf("--levels must be 1 or 2; leave it out for the default")
	}
	var ok bool
	if p.Reinstated, ok = reinstatedPolicies[r.reinstated]; !ok {
		return usage.Errorf("--reinstated must be asks, keeps or sets")
	}
	if p.Canceled, ok = canceledPolicies[r.canceled]; !ok {
		return usage.Errorf("--canceled must be invalid, usable or asks")
	}
	switch {
	case p.CanceledFor != 0 && p.Canceled != lifecycle.CanceledUsable:
		return usage.Errorf("--canceled-for goes with --canceled usable alone")
	case p.AssumeAfter != 0 && !p.Assume:
		return usage.Errorf("--assume-after goes with --assume alone")
	}
	for _, one := range []struct {
		flag  string
		value time.Duration
		least time.Duration
	}{
		{"canceled-for", p.CanceledFor, time.Millisecond}, {"grace", p.Grace, time.Millisecond}, {"assume-after", p.AssumeAfter, time.Millisecond},
		{"store-timeout", o.StoreTimeout, time.Millisecond}, {"poll", o.Poll, time.Millisecond}, {"takeover", o.Takeover, 100 * time.Millisecond},
	} {
		if one.value != 0 && one.value < one.least {
			return usage.Errorf("--%s must be at least %v; leave it out for the default", one.flag, one.least)
		}
	}
	return nil
}

// change sets flags of the policy, and returns which were set.
func (r *rackSettings) change(changes []string) (*pflag.FlagSet, error) {
	flags := pflag.NewFlagSet("policy", pflag.ContinueOnError)
	before := *r // flags begin with their defaults
	r.policyFlags(flags)
	*r = before
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		flag := flags.Lookup(name)
		if flag == nil {
			return nil, usage.Errorf("--policy has %s; a change is one of max-age, levels, reinstated, canceled, canceled-for, grace, assume and assume-after, with = and a value", terminal.Quote(name))
		}
		if err := flags.Set(name, value); err != nil {
			return nil, usage.Errorf("--policy: %s is not a valid value of %s, a %s", terminal.Quote(value), name, flag.Value.Type())
		}
	}
	return flags, nil
}

// wordOf returns the word for a choice, of those that a flag takes.
func wordOf[C comparable](words map[string]C, choice C) string {
	for word, is := range words {
		if is == choice && word != "" {
			return word
		}
	}
	return ""
}

// otherPolicy returns a policy with changes.
func otherPolicy(p lifecycle.Policy, changes []string) (lifecycle.Policy, error) {
	r := rackSettings{
		options:  keyrack.Options{Policy: p},
		canceled: wordOf(canceledPolicies, p.Canceled), reinstated: wordOf(reinstatedPolicies, p.Reinstated),
	}
	flags, err := r.change(changes)
	if err != nil {
		return p, err
	}
	other := &r.options.Policy
	if canceledPolicies[r.canceled] != lifecycle.CanceledUsable && !flags.Changed("canceled-for") {
		other.CanceledFor = 0
	}
	if !other.Assume && !flags.Changed("assume-after") {
		other.AssumeAfter = 0
	}
	if err := r.check(); err != nil {
		return p, fmt.Errorf("with --policy: %w", err)
	}
	if other.MaxAge < 0 || other.MaxAge > mostAge {
		return p, usage.Errorf("with --policy: max-age is %v; it must be from %v to %v", other.MaxAge, leastTime, mostAge)
	}
	if other.MaxAge != 0 && other.AssumeAfter > other.MaxAge {
		return p, usage.Errorf("with --policy: assume-after is %v, above max-age (%v), when nothing is assumed anymore", other.AssumeAfter, other.MaxAge)
	}
	return *other, nil
}
