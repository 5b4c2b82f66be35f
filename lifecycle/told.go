package lifecycle

import "time"

// This file finds what time alone does to a verdict. Nothing of it is evidence, so a
// record stays as it is; but subscribers that were told of a verdict must hear that it ended. What
// was told last follows from the record: it is the verdict as it was when the latest
// evidence came, unless a KindTime has said another one since.

// told is what was told last of an integration's verdict. It is kept from the first
// KindTime on.
type told struct {
	// At is when the latest entry came.
	At Instant `json:",omitzero"`
	// Status and Reason are what time made of the verdict by then. Reason is zero if the
	// entry was evidence, which told its own verdict.
	Status Status `json:",omitzero"`
	Reason Reason `json:",omitzero"`
}

// endedFor is how long the end of a token's grace is still worth telling: a change of
// Policy.Grace does not bring up tokens that were superseded long ago.
const endedFor = 24 * time.Hour

// Untold returns what time alone has made of the integration and nobody was told yet, as
// evidence to apply at now: the zero Evidence if there is nothing. That is another status
// of the current token, or the end of a superseded token's grace. Next is when there may
// be something to tell without further evidence, later than now; 0 means never.
func (r *Record) Untold(p *Policy, now Instant) (e Evidence, next Instant) {
	is := r.Verdict(Digest{}, p, now)
	e = Evidence{Kind: KindTime, At: now, Integration: Named{ID: r.ID}}
	later := func(at Instant) {
		if at > now && (next == 0 || at < next) {
			next = at
		}
	}
	r.turns(p, func(at Instant) {
		if at > now && (next == 0 || at < next) && r.Verdict(Digest{}, p, at).Status != is.Status {
			next = at
		}
	})
	if is.Reason == ReasonUnfamiliar { // nothing is known of it
		return Evidence{}, next
	}
	if r.Told(p, now) != is.Status {
		e.Status, e.Reason = is.Status, is.Reason
		return e, next
	}
	if p.Grace > 0 {
		for i := range r.Keys {
			k := &r.Keys[i]
			if k.Status != Superseded || k.Ended != 0 {
				continue
			}
			end := k.Until.add(p.Grace)
			if later(end); end <= now && now.Sub(end) < endedFor {
				e.Token = k.Digest
				return e, next
			}
		}
	}
	return Evidence{}, next
}

// Told returns the status of the current token's verdict that was told last, at or before
// now: by the latest entry of the journal.
func (r *Record) Told(p *Policy, now Instant) Status {
	if r.LastTold.Reason != ReasonUnfamiliar {
		return r.LastTold.Status
	}
	at := r.LastTold.At
	if at == 0 {
		at = r.AsOf()
	}
	if future := now.add(skew); at > future && (r.LastTold.At > future || r.Basis.At > future) {
		return r.Verdict(Digest{}, p, at).Status // the clock was set back since
	}
	return r.Verdict(Digest{}, p, min(at, now)).Status
}

// tell takes in what time alone has done.
func (r *Record) tell(e *Evidence) {
	if i := r.keyIndex(e.Token); i >= 0 {
		r.writableKeys()[i].Ended = e.At
		return
	}
	r.LastTold = told{e.At, e.Status, e.Reason}
}

// AsOf returns the latest time that the record holds of its evidence.
func (r *Record) AsOf() Instant {
	at := max(r.Arrived, r.Basis.At, r.EnabledAt, r.CanceledAt, r.DeletedAt)
	for i := range r.Keys {
		k := &r.Keys[i]
		at = max(at, k.Since, k.Until, k.Began, k.Accepted, k.Doubt, k.At)
	}
	return at
}

// turns calls turn with the times at which the verdict on the current token may change by
// itself, in no given order: when evidence reaches an age that counts, and when evidence
// of the future, from before a clock was set back, has an age again.
func (r *Record) turns(p *Policy, turn func(Instant)) {
	age := func(at Instant, d time.Duration) {
		if at != 0 && d > 0 {
			turn(at.add(d))
			turn(at.add(time.Microsecond - skew))
		}
	}
	if i := r.currentIndex(); i >= 0 {
		k := &r.Keys[i]
		for _, at := range [...]Instant{r.EnabledAt, r.CanceledAt, k.At} {
			age(at, p.MaxAge)
		}
		if k.Provisional {
			age(k.Began, provisionalFor)
		}
	}
	if p.Canceled == CanceledUsable {
		age(r.Canceled.Since, p.CanceledFor)
		for i := range r.Parked {
			age(r.Parked[i].Canceled.Since, p.CanceledFor)
		}
	}
	if p.Assume {
		age(max(r.Arrived, r.Basis.At), p.AssumeAfter)
	}
}
