package lifecycle

import (
	"slices"

	"github.com/keyrack-dev/keyrack/lifecycle/internal/belief"
)

// fork takes in that the store went back. If an instance knew more of the integration than
// the store has, the evidence holds what it knew, and every present that fits one of the two
// records is possible. Without that nobody knows what was lost, as where a backup was put
// back.
//
// A deletion that was lost counts all the same. The integration is Unknown until a 200 or a
// person says how it is, or, where it is known what was lost, a delivery.
func (r *Record) fork(e *Evidence, d *Decision) {
	d.Outcome = Duplicate
	var lost Record
	if e.Record != "" {
		var err error
		if lost, err = ParseRecord([]byte(e.Record)); err != nil || lost.ID != r.ID {
			d.Outcome = Unrecognized
			return
		}
	}
	if r.State == Deleted && (e.Record == "" || lost.State == Deleted) {
		return
	}
	d.Outcome = Applied
	r.Generation = max(r.Generation, lost.Generation) + 1 // no answer is newer than this
	switch {
	case e.Record == "":
	case lost.State == Deleted:
		deleted := Evidence{Kind: KindDelivery, Action: IntegrationDeleted, At: lost.DeletedAt, DeletedUtc: lost.DeletedUtc}
		r.delete(&deleted, d)
		for _, k := range lost.Keys {
			if r.keyIndex(k.Digest) < 0 && e.Owner == "" && len(r.Keys) < maxKeys {
				r.Keys = append(slices.Clone(r.Keys), k)
			}
		}
		r.Basis = e.basis()
		return
	case r.State == Unseen && lost.State != Unseen:
		r.adoptLost(lost, e)
	case r.State != Unseen && r.State != Deleted:
		possible := r.anyPresent() | lost.anyPresent()
		at := int64(e.At.bound())
		r.Belief, r.Possible = belief.Known(true, possible, possible, at, at)
	}
	if e.Record != "" && r.State != Deleted {
		r.unite(lost.Keys, e)
	}
	r.Arrived = max(r.Arrived, lost.Arrived, e.At)
	r.Basis = e.basis()
	r.Forked, r.AsOfBackup = e.At, e.Record == ""
}

// adoptLost takes over a record. The store has nothing of it but what was parked.
func (r *Record) adoptLost(lost Record, e *Evidence) {
	own := *r
	*r = lost
	r.Rules, r.Version, r.Generation = rules, own.Version, own.Generation
	r.Keys = own.Keys
	if own.Parked != nil {
		at := int64(e.At.bound())
		r.Belief, r.Possible = belief.Known(true, allPresents, allPresents, at, at)
	}
}

// unite makes candidates of the tokens that may be the current one, where the two records
// do not agree which it is.
func (r *Record) unite(lost []Key, e *Evidence) {
	inUse := func(keys []Key) (all []Digest) {
		for i := range keys {
			if keys[i].usable() {
				all = append(all, keys[i].Digest)
			}
		}
		return all
	}
	ours, theirs := inUse(r.Keys), inUse(lost)
	foreign := func(d Digest) bool { return !slices.Contains(ours, d) }
	if len(ours) == len(theirs) && !slices.ContainsFunc(theirs, foreign) {
		return
	}
	keys := r.writableKeys()
	for i := range keys {
		if keys[i].usable() || slices.Contains(theirs, keys[i].Digest) {
			keys[i].Status, keys[i].Until = Candidate, 0
		}
	}
	for _, k := range lost {
		if k.usable() && r.keyIndex(k.Digest) < 0 && e.Owner == "" && len(r.Keys) < maxKeys {
			k.Status = Candidate
			r.Keys = append(r.Keys, k)
		}
	}
}

// rejoin ends the doubt that a fork left.
func (r *Record) rejoin() { r.Forked, r.AsOfBackup = 0, false }

// refusedSince reports whether Mews refused the token for certain, asked after a time.
func (k *Key) refusedSince(at Instant) bool {
	return k.Answer == Rejected && !k.Provisional && k.Doubt == 0 && k.Began > at
}

// saysNothing reports whether a person says no more than that all is as the record has it.
func (e *Evidence) saysNothing() bool {
	return e.AnsweredBy == "" && e.IsEnabled == Unset && e.IsCanceled == Unset && e.Token.isZero()
}

// settlesFork reports whether a person's word is about how the integration is, or says that
// it is as the record has it.
func (e *Evidence) settlesFork() bool {
	return e.AnsweredBy == "" || e.IsEnabled != Unset || e.IsCanceled != Unset || !e.Token.isZero()
}
