package lifecycle_test

import (
	"slices"

	. "github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/lifecycle/internal/belief"
)

// view is what a model and a record must agree on.
type view struct {
	State         State
	Possible      belief.Answers
	Keys          map[string]KeyStatus
	Status, Guess map[string]Status
	Enterprise    string
}

func (m *model) view() view {
	v := view{Enterprise: m.enterprise, Keys: make(map[string]KeyStatus), Status: make(map[string]Status), Guess: make(map[string]Status)}
	var likely *modelCourse
	switch {
	case m.deleted:
		v.State = Deleted
	case m.begun >= 0:
		likely, _ = m.course()
		v.State = likely.state
	default:
		all := model{table: m.table, heard: append(slices.Clone(m.heard), Evidence{}), begun: len(m.heard)}
		likely = all.begin(CreatedEnabled)
	}
	if !m.deleted {
		_, v.Possible = m.believes()
	}
	for _, t := range m.tokens {
		v.Keys[t.digest.String()] = t.status
		v.Status[t.digest.String()], v.Guess[t.digest.String()] = m.verdict(t, likely, v.Possible[belief.One][belief.Asks][belief.Untold])
	}
	return v
}

// verdict is the conjunction of all that must be so, in three values.
func (m *model) verdict(t modelToken, likely *modelCourse, possible belief.Presents) (status, guess Status) {
	if m.deleted {
		if t.answer == Accepted {
			return Unknown, Invalid
		}
		return Invalid, Invalid
	}
	no, unknown, doubtful := false, m.begun < 0 || t.status == Candidate, false
	switch {
	case t.status == Superseded && t.rival && t.answer == Accepted && !t.disputed:
		unknown, doubtful = true, true // several work: it may be the newest
	case t.status == Superseded && t.answer == Unattributed && m.newest(t.digest):
		// It gave way to a former one for a 401 that may have been about something else.
	case t.status == Superseded || t.status == Revoked:
		no = true
	}
	switch {
	case t.disputed:
		unknown, doubtful = true, true
	case t.doubt != 0:
		unknown, doubtful = true, t.answer != Rejected
	}
	switch {
	case t.doubt != 0:
	case t.answer == Rejected:
		no = true
	case t.answer == Unattributed:
		unknown, doubtful = true, true
	}
	no = no || possible != 0 && possible&belief.Live == 0
	unknown = unknown || possible != belief.Live
	if m.begun < 0 || possible != belief.Live { // else the flags are certain, whatever the machine guesses
		doubtful = doubtful || !likely.state.Live()
	}
	switch {
	case no:
		return Invalid, Invalid
	case unknown && doubtful:
		return Unknown, Invalid
	case unknown:
		return Unknown, Valid
	}
	return Valid, Valid
}

// viewOf is a record's view.
func viewOf(r *Record, now Instant) view {
	v := view{
		State: r.State, Possible: r.Possible, Enterprise: r.Enterprise.ID,
		Keys: make(map[string]KeyStatus), Status: make(map[string]Status), Guess: make(map[string]Status),
	}
	for _, k := range r.Keys {
		verdict := verdict(r, k.Digest, now)
		d := k.Digest.String()
		v.Keys[d], v.Status[d], v.Guess[d] = k.Status, verdict.Status, verdict.Guess()
	}
	return v
}
