package lifecycle

import (
	"slices"
	"time"
)

// A token rests, it does not die. One 401 says little, and while the integration does not
// work it says nothing about which token is the newest. So a 401 counts against a token
// only beside a 200 of one that was delivered later:
//
//	later token   200┄┄┐                              ┌┄┄200
//	this token        401   ┄┄┄ two hours or more ┄┄┄ 401
//	                   Refused                         Rests
//
// One that rests is asked again as soon as no token works.

const (
	// beside is how far from a 401 the 200 of a later token may lie.
	beside = time.Minute
	// restsAfter is how far two such 401s must lie apart.
	restsAfter = 2 * time.Hour
)

// refused reports whether the latest answer is a 401 that is about this token.
func (k *Key) refused() bool { return k.Answer == Rejected || k.Answer == Expected }

// unauthorized reports whether the latest answer is a 401, whatever that is about.
func (k *Key) unauthorized() bool {
	return k.refused() || k.Answer == RejectedOnce || k.Answer == Unattributed
}

// works reports whether the latest answer is a 200, and nothing speaks for another
// enterprise.
func (k *Key) works() bool { return k.Answer == Accepted && k.Dispute == noCause }

// elsewhere reports whether Mews has said that it works for another enterprise.
func (k *Key) elsewhere() bool { return k.Answer == Accepted && k.Dispute == causeEnterprise }

// near reports whether two requests began close enough together to be compared.
func near(a, b Instant) bool {
	d := a.Sub(b)
	return a != 0 && b != 0 && -beside <= d && d <= beside
}

// compare counts 401s that lie beside a 200 of a later token, after the token at i was
// answered.
func (r *Record) compare(i int) {
	for j := range r.Keys {
		switch a, b := &r.Keys[i], &r.Keys[j]; {
		case i == j:
		case a.Answer == Accepted && b.unauthorized() && r.later(i, j) && near(a.Accepted, b.Began):
			b.count(b.Began)
		case a.unauthorized() && r.later(j, i) && near(b.Accepted, a.Began) && b.Dispute == noCause:
			a.count(a.Began)
		}
	}
}

// count counts a 401 against the token.
func (k *Key) count(at Instant) {
	switch {
	case k.Refused == 0:
		k.Refused = at
	case k.Rests == 0 && at.Sub(k.Refused) >= restsAfter:
		k.Rests = at
	}
}

// rests reports whether the token is not worth a question while another works.
func (k *Key) rests() bool { return k.Rests != 0 }

// proved reports whether the token needs no proof under a policy, or has it.
func (k *Key) proved(p *Policy) bool {
	return p.ProveSince == 0 || k.Proved != 0 || k.Since < p.ProveSince && k.From != IntegrationApiKeyCreated
}

// succeeded reports whether the token at i, if it was superseded, really was: a newer one
// is proved, or this one was refused while another works.
func (r *Record) succeeded(i int, p *Policy) bool {
	k := &r.Keys[i]
	if k.Status != Superseded || p.ProveSince == 0 {
		return true
	}
	refused := k.refused() && k.Generation == r.Generation
	for j := range r.Keys {
		other := &r.Keys[j]
		if j != i && (r.later(j, i) && other.proved(p) || refused && other.Status == Current && other.works() && other.proved(p)) {
			return true
		}
	}
	return false
}

// displaced reports whether the token at i gave way to one that is not newer by the deliveries,
// for a 401 that may not have been about it: a node may be at fault, or a permission.
func (r *Record) displaced(i int) bool {
	k := &r.Keys[i]
	if k.Status != Superseded || k.Answer != Unattributed && k.Answer != RejectedOnce && !(k.Answer == Rejected && k.Provisional) {
		return false
	}
	for j := range r.Keys {
		if j != i && r.later(j, i) {
			return false
		}
	}
	return true
}

// maxSealed is how many tokens of an integration are kept themselves. Of the others, the
// record keeps the digests alone.
const maxSealed = 16

// shed gives up the tokens that are too many, except for their digests: the oldest that was
// never proved or, where all were, the oldest. The newest and the one that was proved last
// stay. It reports whether there was one.
func (r *Record) shed(at Instant) bool {
	kept := 0
	for i := range r.Keys {
		if !r.Keys[i].Shed {
			kept++
		}
	}
	if kept <= maxSealed {
		return false
	}
	last := r.lastProved()
	give := -1
	for i := range r.Keys[:len(r.Keys)-1] {
		k := &r.Keys[i]
		if k.Shed || i == last {
			continue
		}
		if give < 0 || r.Keys[give].Proved != 0 && k.Proved == 0 {
			give = i
		}
	}
	k := &r.writableKeys()[give]
	k.Shed = true
	if k.usable() {
		k.Status, k.Until = Superseded, at
	}
	return true
}

// lastProved returns the token that was proved last; -1 if none ever was.
func (r *Record) lastProved() int {
	best := -1
	for i := range r.Keys {
		if p := r.Keys[i].Proved; p != 0 && (best < 0 || p > r.Keys[best].Proved) {
			best = i
		}
	}
	return best
}

// proofFor is how long another token must have gone on working before one that rests is
// given up.
const proofFor = 24 * time.Hour

// Retains reports whether the token itself, not only its digest, is still needed. That is
// so for the current token and candidates; for a superseded one, until it rests and another
// was proved a day later; and for what was current at the deletion or came after it, until
// it is rejected. If unproven is above 0, for applications without a prober, the last two
// are given up after that time instead.
func (r *Record) Retains(token Digest, now Instant, unproven time.Duration) bool {
	i := r.keyIndex(token)
	if i < 0 || r.Keys[i].Shed {
		return false
	}
	k := &r.Keys[i]
	switch k.Status {
	case Superseded:
		if unproven > 0 {
			return fresh(now, k.Until, unproven)
		}
		return !k.rests() || !slices.ContainsFunc(r.Keys, func(other Key) bool {
			return other.Digest != token && other.Proved > k.Rests.add(proofFor)
		})
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
