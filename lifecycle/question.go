package lifecycle

import (
	"slices"
	"time"
)

// Question is the next probe of an integration.
type Question struct {
	// Token is the token to probe with.
	Token Digest
	// Open: the newest evidence has not been settled, so the question is due at once.
	// Otherwise it renews the answer, before Settled is too old.
	Open bool
	// First: nothing was ever asked about the token.
	First bool
	// Settled is when the request of the latest answer about the token began; 0
	// if there was none.
	Settled Instant
	// Next is when another question of this integration becomes due, whatever becomes
	// of this one; 0 if there is none.
	Next Instant
}

// slowSteps are when a token that came later than the one that works is asked about
// again, since it may take time to work: by the time since it was superseded.
var slowSteps = [...]time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, 60 * time.Minute, 90 * time.Minute, 120 * time.Minute,
}

// slowAgain is how often it is asked about after that.
const slowAgain = 12 * time.Hour

// Question returns the next probe, or false if no answer could tell anything: the
// integration has no token, or a rejection has confirmed its deletion.
func (r *Record) Question(now Instant) (Question, bool) {
	i := r.currentIndex()
	if r.State == Deleted {
		return r.lastQuestion()
	}
	if i < 0 {
		return Question{}, false
	}
	if j := r.longestOpen(); j >= 0 {
		return r.question(j, true), true
	}
	current := &r.Keys[i]
	if current.Answer != Accepted {
		// Nothing works, as far as is known: each of the others is asked once after the
		// current one was, so that none starves another.
		if j := r.former(current.Began); j >= 0 {
			return r.question(j, true), true
		}
		return r.question(i, false), true
	}
	q := r.question(i, false)
	for j := range r.Keys {
		k := &r.Keys[j]
		if k.Status != Superseded || !r.later(j, i) || !r.Retains(k.Digest, now, 0) {
			continue
		}
		at := k.slowAt()
		if at <= now {
			return r.question(j, true), true
		}
		if q.Next == 0 || at < q.Next {
			q.Next = at
		}
	}
	return q, true
}

func (r *Record) question(i int, open bool) Question {
	k := &r.Keys[i]
	return Question{Token: k.Digest, Open: open, First: k.Probed == 0, Settled: k.Began}
}

// longestOpen returns the token in use that was asked about longest ago among those
// whose question is open; of several that never were, the latest. It is -1 if there is
// none.
func (r *Record) longestOpen() int {
	best := -1
	for j := len(r.Keys) - 1; j >= 0; j-- {
		if k := &r.Keys[j]; k.usable() && r.open(k) && (best < 0 || k.Began < r.Keys[best].Began) {
			best = j
		}
	}
	return best
}

// former returns the superseded token that was asked about longest ago, if that was
// before a time and the token is still kept; otherwise -1.
func (r *Record) former(before Instant) int {
	best := -1
	for j := len(r.Keys) - 1; j >= 0; j-- {
		k := &r.Keys[j]
		if k.Status == Superseded && k.Began < before && (best < 0 || k.Began < r.Keys[best].Began) && r.Retains(k.Digest, 0, 0) {
			best = j
		}
	}
	return best
}

// slowAt is when a token that came later than the one that works is asked about again.
func (k *Key) slowAt() Instant {
	for _, step := range slowSteps {
		if at := k.Until.add(step); at > k.Began {
			return at
		}
	}
	return k.Began.add(slowAgain)
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
		if k := &r.Keys[j]; !k.refused() && r.Retains(k.Digest, 0, 0) {
			return r.question(j, r.open(k)), true
		}
	}
	return Question{}, false
}

// refused reports whether the latest answer is a 401 that is about this token.
func (k *Key) refused() bool { return k.Answer == Rejected || k.Answer == Expected }

// proofFor is how long another token must have gone on working before a superseded one
// is given up.
const proofFor = 24 * time.Hour

// Retains reports whether the token itself, not only its digest, is still needed. That
// is so for the current token and candidates; for a superseded one, until another one
// was seen to work a day after it was superseded and last asked about; and for what was current at the deletion or came after it, until it is
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
		given := max(k.Until, k.Began).add(proofFor)
		return !slices.ContainsFunc(r.Keys, func(other Key) bool { return other.Digest != token && other.Accepted > given })
	case Revoked:
		if r.State != Deleted || k.Until < r.DeletedAt {
			return false
		}
		if unproven > 0 {
			return fresh(now, k.Until, unproven)
		}
		return !k.refused()
	}
	return true
}
