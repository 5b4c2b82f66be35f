package lifecycle

import "slices"

// KeyStatus is the role of a token in its integration. The zero value is no status.
type KeyStatus uint8

const (
	_ KeyStatus = iota
	// Current: the token to use. An integration has at most one.
	Current
	// Candidate: one of several that may be the current token; a probe decides.
	Candidate
	// Superseded: a newer token took its place. No delivery promotes it again.
	Superseded
	// Revoked: the integration was deleted.
	Revoked
	numKeyStatuses
)

var keyStatusNames = [numKeyStatuses]string{"none", "current", "candidate", "superseded", "revoked"}

// String returns the status's name in lower case.
func (s KeyStatus) String() string { return nameOf(keyStatusNames[:], s) }

// Key is one token of an integration, by its digest.
type Key struct {
	Digest Digest    `json:",omitzero"`
	Status KeyStatus `json:",omitzero"`
	// From is the action that brought it; ActionUnknown for an import.
	From  Action  `json:",omitzero"`
	Since Instant `json:",omitzero"` // when it arrived
	// Until is since when it is superseded or revoked.
	Until Instant `json:",omitzero"`

	// Answer is the Connector API's latest about it, to a request that began at Began.
	Answer Answer  `json:",omitzero"`
	Began  Instant `json:",omitzero"`
	// Generation is the record's, for which the answer was given.
	Generation uint64 `json:",omitzero"`
	// Accepted is when the latest request that was answered 200 began.
	Accepted Instant `json:",omitzero"`
	// Proved is when the latest probe began that was answered 200 and confirmed the
	// integration's enterprise. Another delivery's token of an integration whose
	// enterprise was not known then ends it.
	Proved Instant `json:",omitzero"`
	// Probed is the record's generation for which the latest probe was answered.
	Probed uint64 `json:",omitzero"`
	// Doubt is since when the answer is in doubt: the application saw a 401, or a
	// delivery came that may have ended a rejection.
	Doubt Instant `json:",omitzero"`
	// At is when the latest evidence came that it is the integration's token.
	At Instant `json:",omitzero"`
	// Refused is when the first request began that was answered 401 beside a 200 of a
	// later token, and Rests is when such a one began two hours or more after that. Then
	// it is not asked about while another works. A 200 ends both.
	Refused Instant `json:",omitzero"`
	Rests   Instant `json:",omitzero"`
	// Rival: it came within a horizon of the token that took its place.
	Rival bool `json:",omitzero"`
	// Shed: there were too many tokens, and of this one the digest alone is left.
	Shed bool `json:",omitzero"`
	// Claim is the enterprise that its IntegrationCreated named, where that contradicted
	// what nobody has proved.
	Claim string `json:",omitzero"`
	// Provisional: the rejection was seen by the application's own calls alone, without
	// a prober, and counts for two hours.
	Provisional bool `json:",omitzero"`
	// Ended is when it was told that the token's grace ended.
	Ended Instant `json:",omitzero"`
	// Dispute is why the token may belong to another enterprise or integration, as a
	// Decision's Cause says it; empty if it is undisputed.
	Dispute string `json:",omitzero"`
}

// maxKeys is how many digests of tokens a record holds. Beyond that, the oldest one whose
// token is no longer kept is forgotten.
const maxKeys = 24

// Key returns the token of a digest.
func (r *Record) Key(d Digest) (Key, bool) {
	if i := r.keyIndex(d); i >= 0 {
		return r.Keys[i], true
	}
	return Key{}, false
}

func (r *Record) keyIndex(d Digest) int {
	for i := range r.Keys {
		if r.Keys[i].Digest == d {
			return i
		}
	}
	return -1
}

// CurrentKey returns the token to use: the current one or, if there are several
// candidates, the latest that was not rejected. A deleted integration has none.
func (r *Record) CurrentKey() (Key, bool) {
	if i := r.currentIndex(); i >= 0 {
		return r.Keys[i], true
	}
	return Key{}, false
}

func (r *Record) currentIndex() int {
	best := -1
	for i := range r.Keys {
		k := &r.Keys[i]
		if k.Status == Current {
			return i
		}
		if k.Status == Candidate && (best < 0 || k.likely() || !r.Keys[best].likely()) {
			best = i
		}
	}
	return best
}

// likely reports whether no answer speaks against a candidate.
func (k *Key) likely() bool { return k.Answer != Rejected && !k.elsewhere() }

// add adds a token that the record does not hold yet. Where there are too many, others
// make room.
func (r *Record) add(e *Evidence, status KeyStatus, d *Decision) {
	k := Key{Digest: e.Token, Status: status, From: e.Action, Since: e.At, At: e.At}
	if status == Superseded || status == Revoked {
		k.Until = e.At
	}
	r.Keys = append(slices.Clone(r.Keys), k)
	if r.shed(e.At) {
		d.Alarm = true
		d.Cause = firstOf(d.Cause, causeTooManyKeys)
	}
	if len(r.Keys) > maxKeys {
		spent := func(k Key) bool { return !r.Retains(k.Digest, 0, 0) }
		if i := slices.IndexFunc(r.Keys[:maxKeys], spent); i >= 0 {
			r.Keys = slices.Delete(r.Keys, i, i+1)
		}
	}
}

// writableKeys makes r.Keys safe to change.
func (r *Record) writableKeys() []Key {
	r.Keys = slices.Clone(r.Keys)
	return r.Keys
}

// keep takes in the token of an IntegrationCreated, which is older than any that a
// rotation brought.
func (r *Record) keep(e *Evidence, d *Decision) {
	if e.Token.isZero() || r.keyIndex(e.Token) >= 0 {
		return
	}
	status := Current
	switch {
	case len(r.Keys) == 0:
	case slices.ContainsFunc(r.Keys, func(k Key) bool { return k.From == IntegrationApiKeyCreated }):
		status, d.Cause = Superseded, causeRotatedBefore
	default: // besides the token of another Created, or of an import
		status, d.Outcome, d.Cause = Candidate, Conflict, causeSecondToken
	}
	r.add(e, status, d)
	if status == Candidate {
		for i := range r.Keys {
			if r.Keys[i].Status == Current {
				r.Keys[i].Status = Candidate
			}
		}
	}
}

// rotate takes in an IntegrationApiKeyCreated. A token is its own idempotency key: a
// known one is a duplicate, whatever its status.
func (r *Record) rotate(e *Evidence, d *Decision) {
	if e.Owner != "" {
		d.Outcome, d.Cause = Conflict, causeOwned
		return
	}
	if e.Token.isZero() {
		d.Outcome = Unrecognized
		return
	}
	if r.State == Deleted {
		d.Outcome = Stale
		r.revoke(e, d)
		return
	}
	if i := r.keyIndex(e.Token); i >= 0 {
		d.Outcome = Duplicate
		r.repeat(i, e)
		return
	}
	status := Current
	if slices.ContainsFunc(r.Keys, e.rivals) {
		status, d.Cause = Candidate, causeRival
	}
	r.add(e, status, d)
	d.Outcome = Applied
	if r.State == Unseen {
		d.Outcome = Parked
	}
	last := len(r.Keys) - 1
	for i := range r.Keys[:last] {
		k := &r.Keys[i]
		k.Rival = k.Rival && e.within(k.Since)
		if !k.usable() {
			continue
		}
		if k.Answer == Rejected || k.Answer == Unattributed {
			// The former token was rejected for being old, or because the
			// integration does not work.
			r.Keys[last].Doubt = e.At
		}
		if e.rivals(*k) {
			k.Status = Candidate
		} else {
			k.Status, k.Until = Superseded, e.At
		}
	}
}

// repeat takes in a copy of the rotation that brought the token at i. A candidate that
// arrived more than a horizon before the copy is older than that rotation.
func (r *Record) repeat(i int, e *Evidence) {
	if r.Keys[i].Status != Candidate || r.Keys[i].From != IntegrationApiKeyCreated {
		return
	}
	keys, left := r.writableKeys(), 0
	for j := range keys {
		k := &keys[j]
		if j != i && k.Status == Candidate && k.From != IntegrationCreated && !e.within(k.Since) {
			k.Status, k.Until = Superseded, e.At
		}
		if k.usable() {
			left++
		}
	}
	if left == 1 {
		keys[i].Status = Current
	}
}

// rivals reports whether it is unknown which is newer: the rotation's token, or k, which
// was rotated or imported within the horizon. The token of an IntegrationCreated is
// older than any other.
func (e *Evidence) rivals(k Key) bool {
	return k.usable() && k.From != IntegrationCreated && e.within(k.Since)
}

// usable reports whether the token is, or may be, the current one.
func (k *Key) usable() bool { return k.Status == Current || k.Status == Candidate }

// revoke records the token of a delivery that came after the deletion.
func (r *Record) revoke(e *Evidence, d *Decision) {
	if !e.Token.isZero() && r.keyIndex(e.Token) < 0 {
		r.add(e, Revoked, d)
	}
}

func (r *Record) revokeAll(at Instant) {
	for i := range r.writableKeys() {
		k := &r.Keys[i]
		k.Status, k.Until = Revoked, firstOf(k.Until, at)
		k.Answer, k.Began, k.Generation, k.Doubt, k.Provisional = NoAnswer, 0, 0, 0, false
		k.Refused, k.Rests, k.Rival = 0, 0, false
	}
}

// doubtRejections marks the rejections that new evidence may have ended.
func (r *Record) doubtRejections(at Instant) {
	for i, k := range r.Keys {
		if k.Answer == Rejected && k.Doubt == 0 {
			r.writableKeys()[i].Doubt = at
		}
	}
}

// later reports whether the token at i is newer than the one at j, by the deliveries
// that brought them: that of an IntegrationCreated is older than any other.
func (r *Record) later(i, j int) bool {
	if born := r.Keys[i].From == IntegrationCreated; born != (r.Keys[j].From == IntegrationCreated) {
		return !born
	}
	return i > j
}

// promote makes one token the current one, and supersedes the others.
func (r *Record) promote(i int, at Instant) {
	keys := r.writableKeys()
	several := keys[i].Status == Candidate
	for j := range keys {
		k := &keys[j]
		switch {
		case j == i:
			k.Status, k.Until, k.Rival, k.Claim = Current, 0, false, ""
		case k.usable():
			k.Rival = several && k.Status == Candidate
			k.Status, k.Until = Superseded, at
		}
	}
}

// doubtFormer notes that the token in use was rejected. If the token before it has worked
// in the meantime, another answer must tell whether that one is the newer after all.
func (r *Record) doubtFormer(at Instant) {
	for i, k := range r.Keys {
		if k.Status == Superseded && k.Answer == Accepted && k.Generation == r.Generation {
			r.Keys[i].Doubt = at
		}
	}
}
