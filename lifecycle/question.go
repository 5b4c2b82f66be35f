package lifecycle

import "time"

// Question is the next probe of an integration.
type Question struct {
	// Token is the token to probe with.
	Token Digest
	// Open: the newest evidence has not been settled, so that the question is due
	// at once. Otherwise it is the lease's, to be asked before Settled is that old.
	Open bool
	// Settled is when the request of the latest answer about the token began; 0
	// if there was none.
	Settled Instant
}

// Question returns the next probe, or false if no answer could tell anything: the
// integration has no token, or a rejection has confirmed its deletion.
func (r *Record) Question() (Question, bool) {
	i := r.currentIndex()
	if r.State == Deleted {
		return r.lastQuestion()
	}
	if i < 0 {
		return Question{}, false
	}
	for j := len(r.Keys) - 1; j >= 0; j-- {
		if k := &r.Keys[j]; (k.Status == Current || k.Status == Candidate) && r.open(k) {
			return Question{k.Digest, true, k.Began}, true
		}
	}
	// A new token that never worked, and does not: perhaps the former one does.
	k := &r.Keys[i]
	if k.Answer == Rejected && k.Accepted == 0 {
		for j := len(r.Keys) - 1; j >= 0; j-- {
			if former := &r.Keys[j]; former.Status == Superseded && r.open(former) && r.Retains(former.Digest, 0, 0) {
				return Question{former.Digest, true, former.Began}, true
			}
		}
	}
	return Question{k.Digest, false, k.Began}, true
}

// open reports whether no answer about the token has settled the newest evidence yet.
func (r *Record) open(k *Key) bool {
	switch {
	case k.Answer == NoAnswer, k.Answer == Unattributed, k.Answer == RejectedOnce, k.Doubt != 0, k.Generation != r.Generation:
		return true
	}
	// An answer to the application does not say whose the token is.
	return k.Proved == 0 && k.Answer == Accepted && k.Probed != r.Generation
}

// lastQuestion asks about the tokens that a deleted integration left, until they are
// rejected, since the deletion may have been forged.
func (r *Record) lastQuestion() (Question, bool) {
	for j := len(r.Keys) - 1; j >= 0; j-- {
		if k := &r.Keys[j]; k.Answer != Rejected && r.Retains(k.Digest, 0, 0) {
			return Question{k.Digest, r.open(k), k.Began}, true
		}
	}
	return Question{}, false
}

// Retains reports whether the token itself, not only its digest, is still needed. That
// is so for the current token and candidates; for the token before, until its successor
// is proved; and for what was current at the deletion or came after it, until it is
// rejected. If unproven is above 0, for applications without a prober, the last two are
// given up after that time instead.
func (r *Record) Retains(token Digest, now Instant, unproven time.Duration) bool {
	i := r.keyIndex(token)
	if i < 0 {
		return false
	}
	k := &r.Keys[i]
	switch k.Status {
	case Superseded:
		if unproven > 0 {
			return fresh(now, k.Until, unproven)
		}
		j := r.currentIndex()
		return j < 0 || r.Keys[j].Accepted < k.Until
	case Revoked:
		if r.State != Deleted || k.Until < r.DeletedAt {
			return false
		}
		if unproven > 0 {
			return fresh(now, k.Until, unproven)
		}
		return k.Answer != Rejected
	}
	return true
}
