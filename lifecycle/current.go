package lifecycle

// current returns the verdict on the token in use: the current one or the likeliest
// candidate, and in a deleted integration the last one.
func (r *Record) current(p *Policy, now Instant) (v Verdict) {
	i := r.currentIndex()
	if i < 0 && r.State == Deleted {
		i = len(r.Keys) - 1
	}
	r.verdict(&v, i, p, now)
	switch {
	case i >= 0:
	case r.Forked != 0:
		v.Reason = ReasonForked
	case r.State == Deleted:
		v.Status, v.Reason = Invalid, ReasonDeleted
	default:
		v.Reason = ReasonUnseen
	}
	return v
}
