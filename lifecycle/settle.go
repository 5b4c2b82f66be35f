package lifecycle

import "github.com/keyrack-dev/keyrack/lifecycle/internal/belief"

// settle takes in how things are, as a person says. It is evidence like any other: what
// comes later may say otherwise, and Mews is asked.
func (r *Record) settle(e *Evidence, d *Decision) {
	i := r.currentIndex()
	if !e.Token.isZero() {
		i = r.keyIndex(e.Token)
	}
	switch {
	case r.State == Deleted: // only an import reopens
		d.Outcome = Stale
	case differ(r.Enterprise.ID, e.Enterprise.ID), e.AnsweredBy != "" && r.Enterprise.ID == "":
		d.Outcome, d.Cause = Conflict, causeEnterprise
	case i < 0 && !e.Token.isZero():
		d.Outcome, d.Cause = Conflict, causeUnknownToken
	case r.provedSince(e.At):
		d.Outcome = Fenced
	case e.saysNothing() && r.Forked == 0:
		d.Outcome = Duplicate // it is as the record has it, which nobody doubts
	case r.State == Unseen && e.IsEnabled == Unset && e.IsCanceled != Unset:
		d.Outcome = Parked // canceled, of an integration that began nobody knows how
	default:
		d.Outcome = Applied
		if e.settlesFork() {
			r.rejoin()
		}
		r.Generation++ // ask
		r.Basis = e.basis()
		if e.AnsweredBy != "" {
			r.AnsweredBy = e.AnsweredBy
		}
		r.state(e)
		if !e.Token.isZero() {
			r.promote(i, e.At)
			r.Keys[i].At = e.At
		}
		if i >= 0 && (!e.Token.isZero() || e.IsEnabled == Yes || e.IsCanceled == No) {
			r.works(i, e.At)
		}
	}
}

// provedSince reports whether an answer to a request is known that began after a time.
func (r *Record) provedSince(at Instant) bool {
	for i := range r.Keys {
		if r.Keys[i].Began > at || r.Keys[i].Accepted > at {
			return true
		}
	}
	return false
}

// works takes in that a person says that a token should work. An application's doubts end
// with that. What Mews answered does not, until it is asked again.
func (r *Record) works(i int, at Instant) {
	k := &r.writableKeys()[i]
	switch k.Answer {
	case Rejected, RejectedOnce, Unattributed, Expected:
		if k.Provisional {
			k.Answer, k.Doubt, k.Provisional = NoAnswer, 0, false
		} else {
			k.Doubt = at
		}
	default:
		k.Doubt = 0
	}
	r.explain(func(*operation) {})
}

// state makes the two flags what a person says of them.
func (r *Record) state(e *Evidence) {
	if e.IsEnabled == Unset && e.IsCanceled == Unset {
		return
	}
	possible := r.anyPresent()
	if r.State == Unseen {
		if r.Parked != nil {
			r.follow(r.Parked[boolIndex(e.IsEnabled == Yes)])
			r.State = r.State.unannounced()
		} else {
			r.follow(importedCourse(e.IsEnabled == Yes, e.At))
			if e.IsCanceled == Unset {
				possible = belief.Live | belief.Off
			}
		}
	}
	enabled, canceled := r.State.enabled(), r.State.canceled()
	if e.IsEnabled != Unset {
		enabled = e.IsEnabled == Yes
		r.Enabled, r.EnabledAt = pair{Since: e.At}, e.At
	}
	if e.IsCanceled != Unset {
		canceled = e.IsCanceled == Yes
		r.Canceled, r.CanceledAt = pair{Since: e.At}, e.At
	}
	r.EnabledAt, r.CanceledAt = firstOf(r.EnabledAt, e.At), firstOf(r.CanceledAt, e.At)
	r.State = r.State.said(enabled, canceled)
	possible = said(possible, e)
	at := int64(e.At.bound())
	r.Belief, r.Possible = belief.Known(true, possible, possible, at, at)
}

// said returns the state that has the two flags, with as little change as may be.
func (s State) said(enabled, canceled bool) State {
	on, off := Enabled, Disabled
	switch {
	case s.enabled() == enabled && s.canceled() == canceled:
		return s
	case canceled:
		on, off = CanceledEnabled, CanceledDisabled
	case s.canceled():
		on, off = ReinstatedEnabled, ReinstatedDisabled
	case s == ReinstatedEnabled, s == ReinstatedDisabled:
		on, off = ReinstatedEnabled, ReinstatedDisabled
	}
	if enabled {
		return on
	}
	return off
}

// anyPresent returns what is possible under some policy.
func (r *Record) anyPresent() (p belief.Presents) {
	for l := range r.Possible {
		for i := range r.Possible[l] {
			for j := range r.Possible[l][i] {
				p |= r.Possible[l][i][j]
			}
		}
	}
	if p == 0 {
		return allPresents
	}
	return p
}

// said returns what is possible where a person says what is so.
func said(possible belief.Presents, e *Evidence) (p belief.Presents) {
	for _, one := range [...]belief.Presents{belief.Live, belief.Off, belief.CanceledEnabled, belief.CanceledDisabled} {
		if possible&one == 0 {
			continue
		}
		enabled, canceled := one&disabledPresents == 0, one&canceledPresents != 0
		if e.IsEnabled != Unset {
			enabled = e.IsEnabled == Yes
		}
		if e.IsCanceled != Unset {
			canceled = e.IsCanceled == Yes
		}
		switch {
		case canceled && enabled:
			p |= belief.CanceledEnabled
		case canceled:
			p |= belief.CanceledDisabled
		case enabled:
			p |= belief.Live
		default:
			p |= belief.Off
		}
	}
	return p
}
