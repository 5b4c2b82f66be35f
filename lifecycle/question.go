package lifecycle

import "time"

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

// slowSteps are when a token that may take time to work, or one that came within a horizon
// of the one that works, is asked about again: by the time since it was superseded.
var slowSteps = [...]time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, 60 * time.Minute, 90 * time.Minute, 120 * time.Minute,
}

// slowAgain is how often a superseded token that does not rest is asked about after that.
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
	current := &r.Keys[i]
	if j := r.vouched(current); j >= 0 {
		return r.question(j, true), true
	}
	if j := r.instead(current); j >= 0 {
		return r.question(j, true), true
	}
	if j := r.longestOpen(); j >= 0 {
		return r.question(j, true), true
	}
	if !current.works() {
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
		if k.Status != Superseded || k.rests() || !r.Retains(k.Digest, now, 0) {
			continue
		}
		if r.compares(k, i, j, now) {
			return r.question(i, true), true
		}
		at := k.againAt(r.later(j, i), r.Generation)
		if at <= now {
			return r.question(j, true), true
		}
		if q.Next == 0 || at < q.Next {
			q.Next = at
		}
	}
	return q, true
}

// vouched returns the token that was proved last, if another took its place that was asked
// about and does not work, and it was not asked about since: nobody has to wait until all
// that somebody forged was asked about. Otherwise it is -1.
func (r *Record) vouched(current *Key) int {
	i := r.lastProved()
	if i < 0 || r.Keys[i].usable() || r.Keys[i].Generation == r.Generation || !r.Retains(r.Keys[i].Digest, 0, 0) {
		return -1
	}
	if current.Generation == r.Generation && !current.works() {
		return i
	}
	return -1
}

// instead returns the token to ask about now that the one in use was refused and nobody
// knows what that is about: at each round those that came within a horizon of it, and of
// the others one in turn. It is -1 if that has been done.
func (r *Record) instead(current *Key) int {
	if current.Answer != Unattributed && current.Answer != RejectedOnce {
		return -1
	}
	turn := r.former(current.Began)
	for j := range r.Keys {
		k := &r.Keys[j]
		if k.Status != Superseded {
			continue
		}
		if k.Rival && k.Began < current.Began && r.Retains(k.Digest, 0, 0) {
			return j
		}
		if !k.Rival && k.Began > current.Began {
			turn = -1
		}
	}
	return turn
}

// compares reports whether the token at i, which works, is to be asked about because that
// at j, which is older, has just been refused: only a 200 beside it counts the 401.
func (r *Record) compares(k *Key, i, j int, now Instant) bool {
	age := now.Sub(k.Began)
	return k.unauthorized() && r.later(i, j) && 0 <= age && age < beside && !near(r.Keys[i].Accepted, k.Began) && r.Keys[i].Began < k.Began
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

// former returns that of the other tokens, superseded or candidates, which was asked about
// longest ago, if that was before a time and the token is still kept; otherwise -1.
func (r *Record) former(before Instant) int {
	best := -1
	for j := len(r.Keys) - 1; j >= 0; j-- {
		k := &r.Keys[j]
		if (k.Status == Superseded || k.Status == Candidate) && k.Began < before && (best < 0 || k.Began < r.Keys[best].Began) && r.Retains(k.Digest, 0, 0) {
			best = j
		}
	}
	return best
}

// againAt is when a superseded token that does not rest is asked about again while another
// works. Slow says that it came later than the one that works.
func (k *Key) againAt(slow bool, generation uint64) Instant {
	if k.Began < k.Until && k.Generation != generation {
		return k.Until // for the first time since it was superseded
	}
	if slow || k.Rival {
		for _, step := range slowSteps {
			if at := k.Until.add(step); at > k.Began {
				return at
			}
		}
	}
	if at := k.Refused.add(restsAfter); k.Refused != 0 && at > k.Began {
		return at
	}
	return k.Began.add(slowAgain)
}

// open reports whether no answer about the token has settled the newest evidence yet.
func (r *Record) open(k *Key) bool {
	switch {
	case k.Answer == NoAnswer, k.Answer == Withdrawn, k.Answer == Unattributed, k.Answer == RejectedOnce, k.Doubt != 0, k.Generation != r.Generation:
		return true
	}
	// An answer to the application does not say whose the token is. Before the first delivery
	// the generation does not tell that it was the only one.
	return k.Proved == 0 && k.Answer == Accepted &&
		(k.Probed != r.Generation || r.Generation == 0 && k.Dispute == noCause && r.Basis.Kind == KindReport)
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
