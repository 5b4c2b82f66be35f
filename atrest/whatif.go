package atrest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/settings"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Difference is what another policy would have made of the verdicts on an integration's
// current token.
type Difference struct {
	// Integration and Enterprise have the names that were known last.
	Integration, Enterprise lifecycle.Named
	// Since is from when on the verdicts were compared: later than was asked for where the
	// integration is younger, or its journal was trimmed.
	Since time.Time
	// Trimmed: the journal was trimmed, and nobody knows what was before Since.
	Trimmed bool
	// Changed is for how long which status would have been which other one.
	Changed map[Change]time.Duration
}

// Change is a status, and what another policy would have made of it.
type Change struct{ Was, Would lifecycle.Status }

// Policy returns the policy by which the application on a store gives its verdicts. change, if
// it is not nil, changes what the application was told first: what it leaves at zero is the
// default then, which depends on whether the application asks Mews. The error is ErrSealer if
// the sealer is not the application's, or the store's, or says that the settings in the store
// cannot be read.
func Policy(ctx context.Context, s store.Store, sealer seal.Sealer, change func(*lifecycle.Policy)) (lifecycle.Policy, error) {
	s, sealer = guard.Store(s, nil), guard.Sealer(sealer)
	p, err := policy(ctx, s, sealer, change)
	if err != nil {
		return p, fmt.Errorf("atrest: reading the policy: %w", err)
	}
	return p, nil
}

func policy(ctx context.Context, s store.Store, sealer seal.Sealer, change func(*lifecycle.Policy)) (p lifecycle.Policy, err error) {
	if _, err := digestkey.Open(ctx, s, sealer); err != nil && !errors.Is(err, store.ErrNotFound) {
		return p, err
	}
	all, err := settings.Read(ctx, s, sealer)
	if err != nil {
		return p, err
	}
	if change != nil {
		change(&all.Policy)
	}
	return all.InForce(ctx, s, 0, all.Asks, all.Trusts, true)
}

// WhatIf folds the journal of every integration from a time to another, and compares the
// verdicts under two policies, such as the one in use ([Policy]) and one that is thought of. It yields
// a Difference for each integration that was known by the end, in byte order of their ids,
// and ends at its first error. The evidence is what it was: a policy under which
// tokens are asked about more often would have had more of it. WhatIf changes nothing.
func WhatIf(ctx context.Context, s store.Store, is, other lifecycle.Policy, since, until time.Time) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		c := comparison{store: guard.Store(s, nil), policies: [2]*lifecycle.Policy{&is, &other}, since: lifecycle.At(since), until: lifecycle.At(until)}
		for stored, err := range c.store.Scan(ctx, "") {
			var d Difference
			known := false
			if err == nil {
				d, known, err = c.compare(ctx, stored)
			}
			if err != nil {
				yield(Difference{}, fmt.Errorf("atrest: comparing: %w", err))
				return
			}
			if known && !yield(d, nil) {
				return
			}
		}
	}
}

type comparison struct {
	store        store.Store
	policies     [2]*lifecycle.Policy
	since, until lifecycle.Instant
}

// compare compares the verdicts on one integration, and reports whether anything is known of
// it in that time.
func (c *comparison) compare(ctx context.Context, stored store.Stored) (d Difference, known bool, err error) {
	d = Difference{Changed: make(map[Change]time.Duration)}
	record := lifecycle.Record{ID: stored.Integration}
	at := c.since
	if stored.BaseVersion > 0 {
		if record, err = lifecycle.ParseRecord(stored.Base); err != nil {
			return d, false, err
		}
		d.Trimmed = stored.BaseVersion > 1 && record.AsOf() > at
		at = max(at, record.AsOf())
		d.Since = at.Time()
	}
	begun := stored.BaseVersion > 0
	for e, err := range c.store.History(ctx, stored.Integration, store.EntryID{}) {
		if err != nil {
			return d, false, err
		}
		if e.Version <= record.Version {
			continue // part of the base
		}
		evidence, err := lifecycle.ParseEvidence(e.Evidence)
		if err != nil {
			return d, false, err
		}
		if begun {
			at = c.pass(&d, &record, at, min(e.At, c.until))
		} else {
			at, begun = max(at, e.At), true
			d.Since = at.Time()
		}
		record, _ = record.Apply(evidence)
	}
	c.pass(&d, &record, at, c.until)
	d.Integration, d.Enterprise = lifecycle.Named{ID: stored.Integration, Name: record.Name}, record.Enterprise
	return d, begun && !d.Since.After(c.until.Time()), nil
}

// pass adds what differs from one time to another, in which no evidence comes. It returns
// the later one.
func (c *comparison) pass(d *Difference, record *lifecycle.Record, from, to lifecycle.Instant) lifecycle.Instant {
	for from < to {
		next := to
		var status [2]lifecycle.Status
		for i, p := range c.policies {
			status[i] = record.Verdict(lifecycle.Digest{}, p, from).Status
			if _, turn := record.Untold(p, from); turn != 0 {
				next = min(next, turn)
			}
		}
		if status[0] != status[1] {
			d.Changed[Change{status[0], status[1]}] += next.Sub(from)
		}
		from = next
	}
	return max(from, to)
}
