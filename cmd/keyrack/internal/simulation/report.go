package simulation

import (
	"context"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// Report is what was true, and what the receiver says.
type Report struct {
	Seed  uint64
	Stats mewstest.Stats
	Took  time.Duration

	Integrations, Works, Deleted int
	Tokens                       int // former ones included
	Right, Undecided             int // of the integrations' current tokens
	Differences                  []mewstest.Difference

	unheard int // of the undecided: no webhook ever brought the token
}

// Wrong returns how often the receiver was wrong with certainty: valid for a token that
// does not work, and invalid for one that works.
func (r *Report) Wrong() (valid, invalid int) {
	for _, d := range r.Differences {
		switch d.Stance {
		case mewstest.Wrong:
			valid++
		case mewstest.Denied:
			invalid++
		}
	}
	return valid, invalid
}

// compare asks until the receiver is not wrong or, if it can ask Mews, until it is right
// about everything that it ever heard of, or until its time is over.
func (s *simulation) compare(ctx context.Context) (Report, error) {
	patient, between := secondLook, 200*time.Millisecond
	if s.Connector != nil {
		patient, between = s.Within, time.Second
	}
	for end := time.Now().Add(patient); ; {
		r, err := s.once(ctx)
		if err != nil {
			return r, err
		}
		valid, invalid := r.Wrong()
		settled := valid+invalid == 0 && (s.Connector == nil || r.Undecided == r.unheard)
		if settled || time.Now().After(end) {
			return r, nil
		}
		if err := pause.For(ctx, between); err != nil {
			return r, err
		}
	}
}

// once asks about every token.
func (s *simulation) once(ctx context.Context) (Report, error) {
	var r Report
	var failed error
	unheard := map[string]bool{} // by token
	ask := func(token string) lifecycle.Status {
		r.Tokens++
		if failed != nil {
			return lifecycle.Unknown
		}
		i, _, err := s.API.Introspect(ctx, lifecycle.NewToken(token))
		failed = err
		unheard[token] = i.Reason == lifecycle.ReasonUnfamiliar
		return i.Status
	}
	undecided, differing := map[string]bool{}, map[string]bool{}
	for d := range s.world.Differences(ask) {
		r.Differences = append(r.Differences, d)
		differing[d.Integration.ID()] = true
		if d.Stance == mewstest.Undecided {
			undecided[d.Integration.ID()] = true
			if unheard[d.Integration.Token()] {
				r.unheard++
			}
		}
	}
	for i := range s.world.Integrations() {
		r.Integrations++
		switch {
		case i.Deleted():
			r.Deleted++
		case i.Works():
			r.Works++
		}
		if !differing[i.ID()] {
			r.Right++
		}
	}
	r.Undecided = len(undecided)
	return r, failed
}
