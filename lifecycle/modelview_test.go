package lifecycle_test

import (
	"slices"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// view is what a model and a record must agree on.
type view struct {
	State             State
	Enabled, Canceled bool // suspect
	Keys              map[string]KeyStatus
	Status, Guess     map[string]Status
	Enterprise        string
}

func (m *model) view() view {
	v := view{Enterprise: m.enterprise, Keys: make(map[string]KeyStatus), Status: make(map[string]Status), Guess: make(map[string]Status)}
	var courses []*modelCourse
	switch {
	case m.deleted:
		v.State = Deleted
	case m.begun >= 0:
		c, _ := m.course()
		v.State, v.Enabled, v.Canceled = c.state, c.enabled.suspect, c.canceled.suspect
		courses = append(courses, c)
	default:
		all := model{table: m.table, heard: append(slices.Clone(m.heard), Evidence{}), begun: len(m.heard)}
		courses = append(courses, all.begin(CreatedDisabled), all.begin(CreatedEnabled))
	}
	for _, t := range m.tokens {
		v.Keys[t.digest.String()] = t.status
		v.Status[t.digest.String()], v.Guess[t.digest.String()] = m.verdict(t, courses)
	}
	return v
}

// verdict is the conjunction of all that must be so, in three values.
func (m *model) verdict(t modelToken, courses []*modelCourse) (status, guess Status) {
	if m.deleted {
		if t.answer == Accepted {
			return Unknown, Invalid
		}
		return Invalid, Invalid
	}
	no, unknown, doubtful := false, m.begun < 0 || t.status == Candidate, false
	no = no || t.status == Superseded || t.status == Revoked
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
	refusals := 0
	for _, c := range courses {
		certain := c.state.Canceled() && !c.canceled.suspect || !c.state.Enabled() && !c.enabled.suspect
		if certain {
			refusals++
		}
		unknown = unknown || c.enabled.suspect || c.canceled.suspect
	}
	no = no || refusals == len(courses)
	doubtful = doubtful || !courses[len(courses)-1].state.Live()
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
		State: r.State, Enabled: r.Enabled.Suspect, Canceled: r.Canceled.Suspect, Enterprise: r.Enterprise.ID,
		Keys: make(map[string]KeyStatus), Status: make(map[string]Status), Guess: make(map[string]Status),
	}
	for _, k := range r.Keys {
		verdict := verdict(r, k.Digest, now)
		d := k.Digest.String()
		v.Keys[d], v.Status[d], v.Guess[d] = k.Status, verdict.Status, verdict.Guess()
	}
	return v
}
