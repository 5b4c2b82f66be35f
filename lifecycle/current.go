package lifecycle

// Current says what the record makes of the token that is in use: the current
// one or the likeliest candidate, and in a deleted integration the last one.
// Like Record.Verdict it is pure and does not allocate.
func (r *Record) Current(p *Policy, now Instant) Verdict {
	if i := r.currentIndex(); i >= 0 {
		return r.Verdict(r.Keys[i].Digest, p, now)
	}
	v := Verdict{
		Guess: Invalid, Reason: ReasonUnseen, State: r.State,
		Integration: r.ID, Enterprise: r.Enterprise.ID, Evidence: r.Basis,
	}
	if r.State == Deleted {
		if n := len(r.Keys); n > 0 {
			return r.Verdict(r.Keys[n-1].Digest, p, now)
		}
		v.Status, v.Reason = Invalid, ReasonDeleted
	}
	return v
}
