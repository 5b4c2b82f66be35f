package lifecycle

// answer takes in an answer of the Connector API. The answer to a probe settles; that
// to a call of the application's own settles only if it is a 200.
func (r *Record) answer(e *Evidence, d *Decision) {
	i := r.keyIndex(e.Token)
	if i < 0 {
		d.Outcome, d.Cause = Conflict, causeUnknownToken
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
	if o, _ := r.Operation(e.Operation); e.Kind == KindReport && e.Answer != Accepted && o.Lacks(e.At) {
		d.Outcome = Duplicate
		return
	}
	d.Outcome = Applied
	k := &r.writableKeys()[i]
	if e.Answer != Accepted && e.Kind == KindProbe {
		r.explain(func(*operation) {}) // the 401s of the application's calls were the token's, or nobody's
	}
	if e.Answer == Withdrawn {
		k.Answer, k.Began, k.Generation, k.Doubt, k.Provisional = Withdrawn, max(k.Began, e.Began), 0, 0, false
		return
	}
	if e.Kind == KindReport && e.Answer == Rejected {
		// No prober says so, but other integrations' calls did.
		k.Answer, k.Began, k.Generation, k.Doubt, k.Provisional = Rejected, e.Began, r.Generation, 0, true
		return
	}
	if e.Kind == KindReport && e.Answer != Accepted {
		// Other end points answer 401 for a missing permission too: it settles
		// nothing, and asks for a probe.
		k.Doubt = firstOf(e.Began, e.At)
		if k.usable() {
			r.called(e.Operation).Refused = k.Doubt
		}
		return
	}
	k.Answer, k.Began, k.Generation, k.Doubt, k.Provisional = e.Answer, e.Began, r.Generation, 0, false
	if e.Kind == KindProbe {
		k.Probed = r.Generation
	}
	if e.Answer == Accepted {
		r.accept(i, e, d)
	} else if e.Answer == Rejected && k.usable() {
		r.doubtFormer(e.At)
	}
	r.compare(i)
}

// timely reports whether an answer still counts: neither a delivery nor the answer to a
// later request came since its request began.
func (r *Record) timely(e *Evidence, k Key) bool {
	if e.overtaken(k.Began) || e.overtaken(k.Doubt) {
		return false
	}
	if e.Kind == KindProbe || e.Generation != 0 {
		return e.Generation == r.Generation
	}
	return e.Began > r.Arrived
}

// overtaken reports whether something happened after the request began. A time after
// the answer was written by a wrong clock and is ignored.
func (e *Evidence) overtaken(by Instant) bool { return e.Began < by && by <= e.At }

// accept takes in a 200 about the token at i.
func (r *Record) accept(i int, e *Evidence, d *Decision) {
	k := &r.Keys[i]
	if r.yields(k, e) {
		r.Enterprise, r.AnsweredBy, r.Service, r.CreatedUtc = Named{}, "", Named{}, 0
		d.Cause, d.Alarm = causeYielded, true
	}
	if !e.Portfolio && differ(r.Enterprise.ID, e.Enterprise.ID) && e.Enterprise.ID != r.AnsweredBy {
		k.Dispute = causeEnterprise
		d.Outcome, d.Cause = Conflict, causeEnterprise
		return
	}
	k.Accepted, k.Refused, k.Rests = e.Began, 0, 0
	if r.confirms(e) {
		k.Proved = e.Began
	}
	if e.Portfolio || e.Enterprise.ID != "" {
		k.Dispute = noCause // else it is not said whose token works
	}
	if r.State == Deleted {
		d.Cause, d.Alarm = causeDeletedAccepted, true
		r.rejoin()
		return
	}
	switch k.Status {
	case Candidate:
		if k.Claim != "" && k.Proved == 0 {
			return // it works; whose it is nobody has said
		}
		r.promote(i, e.At)
	case Superseded, Revoked: // the latter where an import reopened what was deleted
		newer := false // it took its time to work
		if j := r.currentIndex(); j >= 0 {
			newer = r.later(i, j)
			switch current := &r.Keys[j]; {
			case newer, current.elsewhere():
			case current.Answer == Accepted || current.Answer == NoAnswer || current.Answer == Withdrawn:
				return // it proves nothing of the newer token, which is the one in use
			case e.Began < current.Began:
				k.Doubt = e.At // the rejection is the later: ask again
				return
			}
		}
		r.promote(i, e.At)
		if !newer {
			d.Cause, d.Alarm = causeSwapped, true
		}
	}
	if r.State == Unseen && r.Parked != nil {
		r.follow(r.Parked[1])
		r.State = r.State.unannounced()
	}
	course := r.course()
	course.settle(e)
	r.follow(course)
	r.worked(e)
	r.served(e)
	if !e.Portfolio {
		r.complete(e)
	}
	r.renew(i, e)
}

// confirms reports whether a 200 says that the token is the integration's: it names
// the integration's enterprise, or the first one that is known of it.
func (r *Record) confirms(e *Evidence) bool {
	switch {
	case e.Kind != KindProbe:
		return false // the application's own calls do not say whose the token is
	case e.Portfolio:
		return r.Enterprise.ID == "" // an enterprise that nobody named needs no confirming
	}
	return e.Enterprise.ID != ""
}

// renew notes evidence of all that a verdict on the token at i stands on.
func (r *Record) renew(i int, e *Evidence) {
	r.Basis = e.basis()
	r.EnabledAt, r.CanceledAt, r.Keys[i].At = r.Basis.At, r.Basis.At, r.Basis.At
	r.rejoin()
}

// takeImport takes in an import by hand: an integration that existed before Keyrack, a token
// that came by e-mail, or the reopening of a deleted integration.
func (r *Record) takeImport(e *Evidence, d *Decision) {
	if d.Cause = r.contradiction(e); d.Cause == causeDeletedBeforeCreated {
		d.Cause = noCause // an import may reopen what was deleted
	}
	if d.Cause != noCause {
		d.Outcome = Conflict
		return
	}
	i := r.keyIndex(e.Token)
	reopens := r.State == Deleted
	switch {
	case reopens && e.Token.isZero():
		d.Outcome = Stale
		return
	case i >= 0 && r.Keys[i].Status == Current && r.State != Unseen:
		e.IsCanceled = No
		r.settle(e, d) // a person says how things are
		if d.Outcome == Applied {
			r.complete(e)
			if e.Integration.Name != "" {
				r.Name = e.Integration.Name
			}
		}
		return
	}
	if i < 0 && !e.Token.isZero() {
		r.add(e, Candidate, d)
		i = len(r.Keys) - 1
	}
	switch {
	case r.State == Unseen:
		enabled := e.IsEnabled != No
		if r.Parked != nil {
			r.follow(r.Parked[boolIndex(enabled)])
			r.State = r.State.unannounced()
		} else {
			r.follow(importedCourse(enabled, e.At))
		}
		r.begun(enabled, e)
	case reopens:
		r.follow(importedCourse(e.IsEnabled != No, e.At))
		r.begun(e.IsEnabled != No, e)
		r.DeletedAt, r.DeletedUtc = 0, 0
		d.Cause = causeReopened
	}
	if i >= 0 {
		r.promote(i, e.At)
		r.doubtRejections(e.At)
		if k := &r.Keys[i]; k.Answer == Expected { // as a former token; now it would be a surprise
			k.Doubt = e.At
		}
	}
	r.complete(e)
	if e.Integration.Name != "" {
		r.Name = e.Integration.Name
	}
	d.Outcome = Applied
	r.rejoin()
	r.Basis = e.basis()
	r.EnabledAt, r.CanceledAt = e.At, e.At
	if i >= 0 {
		r.Keys[i].At = e.At
	}
}

// importedCourse is the course of an integration that is known from an import alone.
func importedCourse(enabled bool, at Instant) course {
	c := course{State: Disabled, Enabled: pair{Since: at}}
	if enabled {
		c.State = Enabled
	}
	return c
}

// contest notes that another integration was announced with this one's token. The first
// owner keeps it; only the Connector API can say whose it is.
func (r *Record) contest(e *Evidence, d *Decision) {
	i := r.keyIndex(e.Token)
	if i < 0 {
		d.Outcome, d.Cause = Conflict, causeUnknownToken
		return
	}
	k := &r.writableKeys()[i]
	k.Dispute, k.Doubt = causeContested, e.At
	d.Outcome, d.Cause, d.Alarm = Applied, causeContested, true
}
