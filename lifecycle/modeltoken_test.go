package lifecycle_test

import (
	"slices"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// modelToken is a token as the model knows it.
type modelToken struct {
	digest   Digest
	status   KeyStatus
	since    Instant
	from     Kind // of Created's token KindUnknown, so that it rivals nobody
	answer   Answer
	asked    Instant // when the request of the answer began
	at       uint64  // how many asks had come then
	doubt    Instant
	disputed bool
	worked   bool
	rival    bool // it was a candidate beside the one that took its place, at the same time
}

// likely reports whether Mews said neither that it does not work nor that it is another's.
func (t *modelToken) likely() bool {
	return t.answer != Rejected && !(t.answer == Accepted && t.disputed)
}

func (m *model) token(d Digest) *modelToken {
	for i := range m.tokens {
		if m.tokens[i].digest == d {
			return &m.tokens[i]
		}
	}
	return nil
}

// later reports whether a token was delivered after another one. That of an
// IntegrationCreated is older than any other.
func (m *model) later(t, other *modelToken) bool {
	if born := t.from == KindUnknown; born != (other.from == KindUnknown) {
		return !born
	}
	for i := range m.tokens {
		if one := &m.tokens[i]; one == t || one == other {
			return one == other
		}
	}
	return false
}

// newest reports whether no token was delivered after this one.
func (m *model) newest(d Digest) bool {
	t := m.token(d)
	for i := range m.tokens {
		if other := &m.tokens[i]; other != t && m.later(other, t) {
			return false
		}
	}
	return true
}

// inUse are the tokens that may be the current one.
func (m *model) inUse() (all []*modelToken) {
	for i := range m.tokens {
		if s := m.tokens[i].status; s == Current || s == Candidate {
			all = append(all, &m.tokens[i])
		}
	}
	return all
}

// keep takes in the token of an IntegrationCreated.
func (m *model) keep(e Evidence, outcome Outcome) Outcome {
	if m.token(e.Token) != nil {
		return outcome
	}
	status := Current
	switch {
	case m.deleted:
		status = Revoked
	case len(m.tokens) == 0:
	case slices.ContainsFunc(m.tokens, func(t modelToken) bool { return t.from == KindDelivery }):
		status = Superseded // a rotation is newer
	default:
		status, outcome = Candidate, Conflict
		for _, t := range m.inUse() {
			t.status = Candidate
		}
	}
	m.tokens = append(m.tokens, modelToken{digest: e.Token, status: status, since: e.At})
	return outcome
}

func (m *model) rotate(e Evidence) Outcome {
	t := modelToken{digest: e.Token, status: Current, since: e.At, from: KindDelivery}
	switch {
	case m.deleted && m.token(e.Token) == nil:
		t.status = Revoked
		m.tokens = append(m.tokens, t)
		return Stale
	case m.deleted:
		return Stale
	case m.token(e.Token) != nil:
		if again := m.token(e.Token); again.status == Candidate && again.from == KindDelivery {
			for _, other := range m.inUse() {
				if other != again && other.from != KindUnknown && e.At.Sub(other.since) > horizon {
					other.status = Superseded
				}
			}
			if len(m.inUse()) == 1 {
				again.status = Current
			}
		}
		return Duplicate
	}
	for i := range m.tokens {
		if old := &m.tokens[i]; e.At.Sub(old.since) > horizon {
			old.rival = false
		}
	}
	for _, other := range m.inUse() {
		if other.answer == Rejected || other.answer == Unattributed {
			t.doubt = e.At
		}
		if other.from != KindUnknown && e.At.Sub(other.since) <= horizon {
			other.status, t.status = Candidate, Candidate
		} else {
			other.status = Superseded
		}
	}
	m.tokens = append(m.tokens, t)
	if m.begun < 0 {
		return Parked
	}
	return Applied
}

// becomesCurrent makes a token the one in use.
func (m *model) becomesCurrent(d Digest) {
	several := m.token(d).status == Candidate
	for _, t := range m.inUse() {
		t.rival = several && t.status == Candidate
		t.status = Superseded
	}
	t := m.token(d)
	t.status, t.rival = Current, false
}
