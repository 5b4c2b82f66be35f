package lifecycle_test

import . "github.com/keyrack-dev/keyrack/lifecycle"

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

func newModel(table map[State]map[Column]cell) *model { return &model{table: table, begun: -1} }

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
	case KindImport:
		c = m.begin(Disabled)
		if began.IsEnabled != No {
			c = m.begin(Enabled)
		}
	case KindSettle:
		c = m.begin(map[bool]State{true: Enabled, false: Disabled}[began.IsEnabled == Yes])
		c.say(began)
	default:
		c = m.begin(Enabled)
		c.works()
	}
	latest = Applied
	for _, e := range m.heard[m.begun+1:] {
		switch e.Kind {
		case KindDelivery:
			latest = m.toggle(c, e)
		case KindSettle:
			c.say(e)
		default:
			c.works()
		}
	}
	return c, latest
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
	case KindSettle:
		return m.settled(e)
	case KindProbeRequest:
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
			m.tokens[i].rival = false
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

func (m *model) imported(e Evidence) Outcome {
	if m.enterprise != "" && e.Enterprise.ID != m.enterprise {
		return Conflict
	}
	m.enterprise = e.Enterprise.ID
	if t := m.token(e.Token); t != nil && t.status == Current && m.begun >= 0 && !m.deleted {
		e.Kind, e.IsCanceled = KindSettle, No
		return m.settled(e)
	}
	if m.token(e.Token) == nil {
		m.tokens = append(m.tokens, modelToken{digest: e.Token, status: Candidate, since: e.At, from: KindImport})
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

// settled takes in how things are, as a person says.
func (m *model) settled(e Evidence) Outcome {
	t := m.token(e.Token)
	switch {
	case m.deleted:
		return Stale
	case m.enterprise != "" && e.Enterprise.ID != "" && e.Enterprise.ID != m.enterprise:
		return Conflict
	case t == nil && !e.Token.IsZero():
		return Conflict
	case t == nil && e.IsEnabled == Unset && e.IsCanceled == Unset:
		return Duplicate // it is as everybody knows
	case m.begun < 0 && e.IsEnabled == Unset && e.IsCanceled != Unset:
		return Parked
	}
	m.asks++
	if e.IsEnabled != Unset || e.IsCanceled != Unset {
		m.heard = append(m.heard, e)
		if m.begun < 0 {
			m.begun = len(m.heard) - 1
		}
	}
	if t != nil {
		m.becomesCurrent(e.Token)
	} else if t = m.likeliest(); t == nil || e.IsEnabled != Yes && e.IsCanceled != No {
		return Applied
	}
	t.doubt = 0
	if t.answer == Rejected || t.answer == Unattributed {
		t.doubt = e.At
	}
	return Applied
}

// likeliest is the token in use: of several candidates the latest that nothing speaks against.
func (m *model) likeliest() (best *modelToken) {
	for _, t := range m.inUse() {
		if best == nil || t.status == Current || t.likely() || !best.likely() {
			best = t
		}
	}
	return best
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
	if e.Kind == KindReport && e.Generation == 0 {
		fenced = e.Began <= m.arrived
	}
	if fenced || t.asked > e.Began || t.doubt > e.Began {
		return Fenced
	}
	if e.Kind == KindReport && e.Answer != Accepted {
		t.doubt = e.Began
		return Applied
	}
	t.answer, t.asked, t.at, t.doubt = e.Answer, e.Began, m.asks, 0
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
	l := m.likeliest() // a later one took its time to work, and what works for another enterprise makes way
	makesWay := l != nil && (m.later(t, l) || l.disputed && l.answer == Accepted)
	if (t.status == Superseded || t.status == Revoked) && !makesWay && l != nil {
		// It is the newer one after all only if the newest was answered 401 before.
		switch {
		case l.answer == Accepted, l.answer == NoAnswer:
			return Applied
		case e.Began < l.asked:
			t.doubt = e.At
			return Applied
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
