package lifecycle

// An integration that a person connected has no id of Mews's at first: it is known under one
// of ours, by its token. The evidence that tells its id brings its record along
// (Evidence.Record), and what was known is part of the named one's record from then on. Under
// the id of ours nothing is left but the name (Record.Alias).

// adopt takes in what was known before the integration had a name, as if it had been known
// under that name. What the integration has of its own is newer or more certain, and stays.
// It returns the record that was known, or nil. What is another enterprise's is a conflict.
func (r *Record) adopt(e *Evidence, d *Decision) *Record {
	brings := e.Kind == KindDelivery && (e.Action == IntegrationCreated || e.Action == IntegrationApiKeyCreated)
	if e.Record == "" || !brings && e.Kind != KindImport && e.Kind != KindName {
		return nil
	}
	n, err := ParseRecord([]byte(e.Record))
	if err != nil || n.ID == r.ID || n.keyIndex(e.Token) < 0 {
		d.Outcome = Unrecognized
		return nil
	}
	if differ(r.Enterprise.ID, n.Enterprise.ID) || differ(e.Enterprise.ID, n.Enterprise.ID) {
		d.Outcome, d.Cause, d.Alarm = Conflict, causeEnterprise, true
		return nil
	}
	if r.State == Unseen && r.Parked == nil {
		r.follow(n.course())
		r.Parked, r.Belief, r.Possible = n.Parked, n.Belief, n.Possible
		r.EnabledAt, r.CanceledAt, r.Basis = n.EnabledAt, n.CanceledAt, n.Basis
		r.DeletedAt, r.DeletedUtc = n.DeletedAt, n.DeletedUtc
	}
	if r.Enterprise.ID == "" {
		r.unprove()
		r.Enterprise, r.AnsweredBy = n.Enterprise, n.AnsweredBy
	}
	if r.Service.ID == "" {
		r.Service = n.Service
	}
	r.Name, r.CreatedUtc = firstOf(r.Name, n.Name), firstOf(r.CreatedUtc, n.CreatedUtc)
	if len(r.Keys) == 0 && r.State != Deleted {
		r.Keys = append([]Key(nil), n.Keys...)
		r.Operations = n.Operations
	}
	r.Generation += n.Generation + 1
	for i := range r.writableKeys() {
		if k := &r.Keys[i]; n.keyIndex(k.Digest) >= 0 {
			k.Generation, k.Probed = r.since(k.Generation, &n), r.since(k.Probed, &n)
		}
	}
	if n.Succeeds != r.ID {
		r.Succeeds = firstOf(r.Succeeds, n.Succeeds)
	}
	r.gain(n.Labels, d)
	return &n
}

// since returns a generation of a record that was adopted as one of this record's.
func (r *Record) since(generation uint64, n *Record) uint64 {
	if generation == n.Generation {
		return r.Generation
	}
	return generation
}

// adopted ends what adopt began, after the evidence itself. Before is the record without
// either: evidence that contradicts it gives no name.
func (r *Record) adopted(n, before *Record, e *Evidence, d *Decision) {
	switch {
	case d.Outcome == Conflict && d.Cause != causeSecondToken, d.Outcome == Unrecognized:
		generation, arrived := r.Generation, r.Arrived
		*r = *before
		r.Generation, r.Arrived = generation, arrived
		return
	case d.Outcome == Fenced: // an import that says what Mews has answered already
		d.Outcome = Applied
	}
	for _, k := range n.Keys {
		i := r.keyIndex(k.Digest)
		if i < 0 || r.Enterprise.ID != n.Enterprise.ID {
			continue
		}
		// Whose the token is has been confirmed, and stays so.
		own := &r.writableKeys()[i]
		own.Proved, own.Accepted = max(own.Proved, k.Proved), max(own.Accepted, k.Accepted)
	}
}

// takeName takes in that an integration of ours is this one, by a person's word or because
// Mews was asked about the tokens of both.
func (r *Record) takeName(n *Record, e *Evidence, d *Decision) {
	d.Outcome = Applied
	for _, k := range n.Keys {
		if r.keyIndex(k.Digest) >= 0 {
			continue
		}
		add := *e
		add.Token, add.Action = k.Digest, k.From
		switch {
		case r.State == Deleted:
			r.add(&add, Revoked, d)
		case k.Answer == Rejected: // another token works
			r.add(&add, Superseded, d)
		default:
			r.add(&add, Candidate, d)
			for i := range r.Keys {
				if r.Keys[i].Status == Current {
					r.Keys[i].Status = Candidate
				}
			}
		}
		own := &r.Keys[len(r.Keys)-1]
		own.Since, own.Answer, own.Began, own.Accepted = k.Since, k.Answer, k.Began, k.Accepted
		if own.Status == Revoked {
			own.Answer, own.Began = NoAnswer, 0
		}
	}
}

// named returns what is left under the id of ours.
func (r *Record) named(e *Evidence) Record {
	left := r.emptied()
	left.Alias = e.Owner
	left.Generation++
	return left
}
