package lifecycle_test

import (
	"slices"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// model is what a record must be, said again as plainly as possible: it keeps
// whatever it hears, and works out the flags from the beginning every time.
type model struct {
	table map[State]map[Column]cell // testdata/table.md

	heard      []Evidence // toggles, settling answers, and what began the course
	begun      int        // of heard, what began the course; -1 while unseen
	deleted    bool
	enterprise string
	asks       uint64  // deliveries, and questions of somebody's: what an answer must be newer than
	arrived    Instant // the latest delivery
	tokens     []modelToken
}

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
}

func newModel(table map[State]map[Column]cell) *model { return &model{table: table, begun: -1} }

// modelPair is one of the two flags.
type modelPair struct {
	suspect bool
	said    []saying
	waiting []Instant // copies, or early halves
}

// saying is that a flag was said to be so.
type saying struct {
	on    bool
	at    Instant
	first bool // it alone changed what was certain
}

// within tells whether anything that matches was said within the horizon before.
func (p *modelPair) within(at Instant, matches func(saying) bool) bool {
	return slices.ContainsFunc(p.said, func(s saying) bool { return matches(s) && at.Sub(s.at) <= horizon })
}

func anything(saying) bool { return true }

// modelCourse is a state with its two flags.
type modelCourse struct {
	state             State
	enabled, canceled modelPair
}

func (m *model) toggle(c *modelCourse, e Evidence) Outcome {
	pair, on := &c.enabled, e.Action == IntegrationEnabled
	if e.Action == IntegrationCanceled || e.Action == IntegrationReinstated {
		pair, on = &c.canceled, e.Action == IntegrationCanceled
	}
	alone := !pair.within(e.At, anything)
	if pair == &c.enabled && c.canceled.within(e.At, func(s saying) bool { return !s.on }) {
		alone = false // a reinstatement may have touched it
	}
	reordered := len(pair.said) == 0 || !pair.said[len(pair.said)-1].first
	pair.waiting = slices.DeleteFunc(pair.waiting, func(at Instant) bool { return e.At.Sub(at) > horizon })

	column, _ := ColumnOf(e.Action, false)
	cell := m.table[c.state][column]
	said := saying{on: on, at: e.At}
	outcome := Applied
	switch {
	case !cell.moves:
		outcome = map[string]Outcome{"dup": Duplicate, "park": Parked}[cell.text]
		if pair.waiting = append(pair.waiting, e.At); len(pair.waiting) > 8 {
			pair.waiting = pair.waiting[1:] // a storm
		}
		if alone {
			pair.suspect = false
		}
		if e.Action == IntegrationReinstated && !pair.within(e.At, func(s saying) bool { return !s.on }) {
			c.enabled.suspect = true
		}
	case len(pair.waiting) > 0:
		outcome = Reconciled
		pair.waiting = pair.waiting[1:]
		pair.suspect = true
		if pair == &c.canceled {
			c.enabled.suspect = true
		}
	default:
		c.state = cell.to
		said.first = alone && !pair.suspect
		if alone {
			pair.suspect = false
		}
		if pair.within(e.At, func(s saying) bool { return s.on != on }) && reordered {
			pair.suspect = true
		}
		if e.Action == IntegrationReinstated {
			c.enabled.suspect = true
		}
	}
	pair.said = append(pair.said, said)
	return outcome
}

// works takes in that a token worked.
func (c *modelCourse) works(e Evidence) {
	if !c.state.Enabled() {
		c.enabled.waiting = nil
	}
	if c.state.Canceled() {
		c.canceled.waiting = nil
	}
	switch c.state {
	case Unseen, Disabled, CreatedDisabled:
		c.state = Enabled
	case CanceledEnabled, CanceledDisabled, ReinstatedDisabled:
		c.state = ReinstatedEnabled
	}
	c.enabled.suspect, c.canceled.suspect = false, false
	c.enabled.said = append(c.enabled.said, saying{on: true, at: e.Began})
	c.canceled.said = append(c.canceled.said, saying{on: false, at: e.Began})
}

// begin is the course of an integration that began in a state before it is
// heard of, up to what tells of the beginning.
func (m *model) begin(state State) *modelCourse {
	c := &modelCourse{state: state}
	for _, e := range m.heard[:max(m.begun, 0)] {
		m.toggle(c, e)
	}
	return c
}

// course works out the course from the beginning, and what became of the latest
// that was heard.
func (m *model) course() (c *modelCourse, latest Outcome) {
	began := m.heard[m.begun]
	switch began.Kind {
	case KindDelivery:
		on, off := m.begin(CreatedEnabled), m.begin(CreatedDisabled)
		c = off
		if began.IsEnabled == Yes {
			c = on
		}
		for _, pair := range []*modelPair{&c.enabled, &c.canceled} {
			if len(pair.said) > 0 && !pair.within(began.At, anything) {
				pair.suspect = true // who knows what was lost in between
			}
		}
		if began.IsEnabled == Unset {
			if on.enabled.suspect || on.state.Enabled() != off.state.Enabled() {
				c.enabled.suspect = true
			}
			for i := range c.enabled.said {
				c.enabled.said[i].first = false
			}
		}
	case KindImport:
		c = m.begin(Disabled)
		if began.IsEnabled != No {
			c = m.begin(Enabled)
		}
		if m.begun == 0 {
			c.enabled.said = append(c.enabled.said, saying{on: c.state.Enabled(), at: began.At})
			c.canceled.said = append(c.canceled.said, saying{on: false, at: began.At})
		} else if c.state.Enabled() != (began.IsEnabled != No) {
			c.enabled.suspect = true
		}
	default:
		c = m.begin(Enabled)
		c.works(began)
	}
	latest = Applied
	for _, e := range m.heard[m.begun+1:] {
		if e.Kind == KindDelivery {
			latest = m.toggle(c, e)
		} else {
			c.works(e)
		}
	}
	return c, latest
}

func (m *model) token(d Digest) *modelToken {
	for i := range m.tokens {
		if m.tokens[i].digest == d {
			return &m.tokens[i]
		}
	}
	return nil
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

// take takes in a piece of evidence.
func (m *model) take(e Evidence) Outcome {
	switch e.Kind {
	case KindDelivery:
		m.asks++
		m.arrived = e.At
		return m.deliver(e)
	case KindImport:
		return m.imported(e)
	case KindAsk:
		m.asks++
		return Applied
	}
	return m.answered(e)
}

func (m *model) deliver(e Evidence) Outcome {
	switch e.Action {
	case IntegrationCreated:
		if m.enterprise != "" && e.Enterprise.ID != m.enterprise {
			return Conflict
		}
		m.enterprise = e.Enterprise.ID
		outcome := Duplicate
		if m.deleted {
			outcome = Stale
		} else if m.begun < 0 {
			outcome = Applied
			m.heard, m.begun = append(m.heard, e), len(m.heard)
		}
		return m.keep(e, outcome)
	case IntegrationDeleted:
		if m.deleted {
			return Duplicate
		}
		m.deleted = true
		for i := range m.tokens {
			m.tokens[i].status, m.tokens[i].answer, m.tokens[i].asked, m.tokens[i].doubt = Revoked, NoAnswer, 0, 0
		}
		return Applied
	case IntegrationApiKeyCreated:
		return m.rotate(e)
	}
	if m.deleted {
		return Stale
	}
	m.heard = append(m.heard, e)
	if e.Action == IntegrationEnabled || e.Action == IntegrationReinstated {
		m.doubtRejections(e.At)
	}
	if m.begun < 0 {
		return Parked
	}
	_, outcome := m.course()
	return outcome
}

func (m *model) doubtRejections(at Instant) {
	for i := range m.tokens {
		if m.tokens[i].answer == Rejected && m.tokens[i].doubt == 0 {
			m.tokens[i].doubt = at
		}
	}
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
		return Duplicate
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
	for _, t := range m.inUse() {
		t.status = Superseded
	}
	m.token(d).status = Current
}

func (m *model) imported(e Evidence) Outcome {
	if m.enterprise != "" && e.Enterprise.ID != m.enterprise {
		return Conflict
	}
	m.enterprise = e.Enterprise.ID
	if t := m.token(e.Token); t != nil && t.status == Current && m.begun >= 0 {
		return Duplicate
	}
	if m.token(e.Token) == nil {
		m.tokens = append(m.tokens, modelToken{digest: e.Token, since: e.At, from: KindImport})
	}
	if m.deleted {
		m.deleted, m.heard, m.begun = false, nil, -1
	}
	if m.begun < 0 {
		m.heard, m.begun = append(m.heard, e), len(m.heard)
	}
	m.becomesCurrent(e.Token)
	m.doubtRejections(e.At)
	return Applied
}

func (m *model) answered(e Evidence) Outcome {
	t := m.token(e.Token)
	if t == nil {
		return Conflict
	}
	if e.Answer == NoAnswer {
		return Duplicate
	}
	fenced := e.Generation != m.asks
	if e.Kind == KindApplication && e.Generation == 0 {
		fenced = e.Began <= m.arrived
	}
	if fenced || t.asked > e.Began || t.doubt > e.Began {
		return Fenced
	}
	if e.Kind == KindApplication && e.Answer != Accepted {
		t.doubt = e.Began
		return Applied
	}
	t.answer, t.asked, t.at, t.doubt = e.Answer, e.Began, m.asks, 0
	use := m.inUse()
	if e.Answer == Rejected && (t.status == Current || t.status == Candidate) {
		for i := range m.tokens {
			if old := &m.tokens[i]; old.status == Superseded && old.answer == Accepted && old.at == m.asks {
				old.doubt = e.At
			}
		}
	}
	if e.Answer != Accepted {
		return Applied
	}
	if m.enterprise != "" && e.Enterprise.ID != "" && e.Enterprise.ID != m.enterprise {
		t.disputed = true
		return Conflict
	}
	t.worked = true
	if e.Enterprise.ID != "" {
		t.disputed = false
	}
	if m.deleted {
		return Applied
	}
	if t.status == Superseded || t.status == Revoked {
		// It is the newer one after all only if all newer ones were rejected before.
		for _, other := range use {
			if other.answer != Rejected {
				return Applied
			}
		}
		for _, other := range use {
			if e.Began < other.asked {
				t.doubt = e.At
				return Applied
			}
		}
	}
	m.becomesCurrent(t.digest)
	if m.enterprise == "" {
		m.enterprise = e.Enterprise.ID
	}
	m.heard = append(m.heard, e)
	if m.begun < 0 {
		m.begun = len(m.heard) - 1
	}
	return Applied
}

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
		v.Keys[d], v.Status[d], v.Guess[d] = k.Status, verdict.Status, verdict.Guess
	}
	return v
}
