package lifecycle

// answer takes in what the Connector API answered: to a probe, which settles,
// or to a call of the application's own, of which only a 200 does.
func (r *Record) answer(e *Evidence, d *Decision) {
	i := r.keyIndex(e.Token)
	if i < 0 {
		d.Outcome, d.Cause = Conflict, CauseUnknownToken
		return
	}
	if e.Answer == NoAnswer {
		d.Outcome = Duplicate
		return
	}
	if !r.timely(e, r.Keys[i]) {
		d.Outcome = Fenced
		return
	}
	d.Outcome = Applied
	k := &r.writableKeys()[i]
	if e.Kind == KindApplication && e.Answer != Accepted {
		// Other end points answer 401 for a missing permission too: it settles
		// nothing, and asks for a probe.
		k.Doubt = e.At
		return
	}
	k.Answer, k.Began, k.Generation, k.Doubt = e.Answer, e.Began, r.Generation, 0
	if e.Answer == Accepted {
		r.accept(i, e, d)
	}
}

// timely tells whether an answer still counts: no delivery came since its
// request began, and no answer to a later request. A time in the record that
// lies ahead of the present was written by a clock that was wrong, and says nothing.
func (r *Record) timely(e *Evidence, k Key) bool {
	if e.Began < k.Began && k.Began <= e.At {
		return false
	}
	if e.Kind == KindProbe || e.Generation != 0 {
		return e.Generation == r.Generation
	}
	return e.Began > r.Arrived
}

// accept takes in a 200 about the token at i.
func (r *Record) accept(i int, e *Evidence, d *Decision) {
	k := &r.Keys[i]
	if !e.Portfolio && differ(r.Enterprise.ID, e.Enterprise.ID) {
		k.Dispute = CauseEnterprise
		d.Outcome, d.Cause = Conflict, CauseEnterprise
		return
	}
	k.Accepted, k.Dispute = e.Began, NoCause
	if r.State == Deleted {
		d.Cause, d.Alarm = CauseDeletedAccepted, true
		return
	}
	switch k.Status {
	case Candidate:
		r.promote(i, e.At)
	case Superseded:
		if current, ok := r.CurrentKey(); ok && current.Status == Current && current.Answer == Rejected {
			r.promote(i, e.At)
			d.Cause, d.Alarm = CauseSwapped, true
		}
	}
	if r.State == Unseen && r.Parked != nil {
		r.Course, r.Parked = r.Parked[1], nil
	}
	r.Course.settle(e.At)
	if !e.Portfolio {
		r.complete(e)
	}
	r.Basis = Basis{e.Kind, ActionUnknown, e.Began}
}

// adopt takes in an import by hand: an integration that existed before Keyrack
// did, a token that came by e-mail, or the reopening of a tombstone.
func (r *Record) adopt(e *Evidence, d *Decision) {
	if d.Cause = r.contradiction(e); d.Cause == CauseDeletedBeforeCreated {
		d.Cause = NoCause // an import may reopen what was deleted
	}
	if d.Cause != NoCause {
		d.Outcome = Conflict
		return
	}
	i := r.keyIndex(e.Token)
	reopens := r.State == Deleted && !e.Token.IsZero()
	if i >= 0 && r.Keys[i].Status == Current && !reopens {
		d.Outcome = Duplicate
		r.complete(e)
		return
	}
	if i < 0 && !e.Token.IsZero() {
		if !r.add(e, Candidate) {
			d.Outcome, d.Cause = Conflict, CauseTooManyKeys
			return
		}
		i = len(r.Keys) - 1
	}
	switch {
	case r.State == Unseen:
		enabled := e.IsEnabled != No
		if r.Parked != nil {
			r.Course, r.Parked = r.Parked[boolIndex(enabled)], nil
		} else {
			r.Course = adopted(enabled, e.At)
		}
	case reopens:
		r.Course = adopted(e.IsEnabled != No, e.At)
		r.DeletedAt, r.DeletedUtc = 0, 0
		d.Cause = CauseReopened
	}
	if i >= 0 {
		r.promote(i, e.At)
	}
	r.complete(e)
	if e.Integration.Name != "" {
		r.Name = e.Integration.Name
	}
	d.Outcome = Applied
	r.Basis = Basis{e.Kind, ActionUnknown, e.At}
}

func adopted(enabled bool, at Instant) Course {
	c := Course{State: Disabled, Enabled: Pair{Since: at}}
	if enabled {
		c.State = Enabled
	}
	return c
}

// contest notes that another integration came with a token of this one's. The
// first owner keeps it; only the Connector API can say whose it is.
func (r *Record) contest(e *Evidence, d *Decision) {
	i := r.keyIndex(e.Token)
	if i < 0 {
		d.Outcome, d.Cause = Conflict, CauseUnknownToken
		return
	}
	k := &r.writableKeys()[i]
	k.Dispute, k.Doubt = CauseContested, e.At
	d.Outcome, d.Cause, d.Alarm = Applied, CauseContested, true
}
