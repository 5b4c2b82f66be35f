package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/backoff"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// ask probes one integration, and takes the answer in. The record's
// generation goes with it: a delivery that comes meanwhile makes the answer void, and
// sends its own probe.
func (s *Schedule) ask(ctx context.Context, w *wait) {
	s.mu.Lock()
	tried := w.attempts
	s.mu.Unlock()
	answer, pause, settled := s.put(ctx, w, tried)
	s.mu.Lock()
	s.flying--
	w.inFlight, w.backoff = false, pause
	if settled {
		w.attempts = 0
	} else {
		w.attempts++
	}
	if answer == lifecycle.Rejected {
		w.refusals++
	}
	if s.witness == w.id {
		s.witness = ""
	}
	switch {
	case s.Owner.Record(w.id) == nil:
		s.queue.unset(w)
		delete(s.queue.waits, w.id)
	case s.leading:
		s.place(w.id)
	}
	s.pursue()
	s.poke()
	s.mu.Unlock()
	s.tellNobody(ctx)
}

// longestPause is the longest time between two probes about a 401 that nobody can
// attribute.
const longestPause = 15 * time.Minute

// put asks, and returns what was taken in and how long to wait before asking again about
// what is not settled. Tried is how often that was asked in vain.
func (s *Schedule) put(ctx context.Context, w *wait, tried int) (said lifecycle.Answer, pause time.Duration, settled bool) {
	record := s.Owner.Record(w.id)
	if record == nil {
		return said, s.MaxAge(), false
	}
	question, ok := record.Question(lifecycle.At(s.Owner.Now()))
	if !ok {
		return said, 0, true
	}
	token, err := s.Owner.Token(ctx, record.ID, question.Token)
	if errors.Is(err, store.ErrNotFound) {
		return said, s.MaxAge(), false // it was never kept: only a delivery can help
	}
	if err != nil {
		return said, backoff.Wait(tried+1, 0, nil), false
	}
	answer := s.probe(ctx, record.ID, token, record.Enterprise.ID)
	answered := s.Owner.Now()
	s.mu.Lock()
	w.silent = answer.Kind != connector.Accepted && answer.Kind != connector.Unauthorized && answer.RetryAfter == 0
	if answer.Kind == connector.Unauthorized {
		s.answeredAgain(s.heard, answer.Began)
		s.heard = laterOf(s.heard, answer.Began)
	}
	s.mu.Unlock()
	e := lifecycle.Evidence{
		Kind:        lifecycle.KindProbe,
		Integration: lifecycle.Named{ID: record.ID}, Enterprise: answer.Enterprise, Service: answer.Service,
		Token: question.Token, Began: lifecycle.At(answer.Began), Generation: record.Generation, Portfolio: answer.Portfolio,
	}
	switch answer.Kind {
	case connector.Accepted:
		e.Answer = lifecycle.Accepted
		s.accepted(ctx, record.ID, answer.Began)
	case connector.Unauthorized:
		if e.Answer = s.unauthorized(ctx, record, question.Token, answer.Began, answered); e.Answer == lifecycle.NoAnswer {
			return said, min(longestPause, 30*time.Second<<min(tried, 10)), false
		}
	default:
		return said, backoff.Wait(tried+1, answer.RetryAfter, nil), false
	}
	if err := s.Owner.Take(ctx, e); err != nil {
		s.Log.WarnContext(ctx, "a probe's answer is not stored", "error", err)
		return said, backoff.Wait(tried+1, 0, nil), false
	}
	if e.Answer == lifecycle.Unattributed || e.Answer == lifecycle.Withdrawn {
		return e.Answer, min(longestPause, 30*time.Second<<min(tried, 10)), false
	}
	return e.Answer, 0, true
}

// probe asks a prober whose panics and clock are not trusted.
func (s *Schedule) probe(ctx context.Context, id string, token lifecycle.Token, enterprise string) connector.Answer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ctx, answered := s.Owner.Asking(ctx, id)
	began := s.Owner.Now()
	var answer connector.Answer
	var err error
	if v := guard.Panicked(func() { answer, err = s.Prober.Probe(ctx, token, enterprise) }); v != nil {
		s.Log.Error("panic in the prober", "type", fmt.Sprintf("%T", v))
		answer = connector.Answer{}
	}
	if err != nil {
		answer.Kind = connector.Silent
	}
	answer.Began = began
	answered(answer, err)
	return answer
}

// hintAgain is how long a hint about an integration is worth no further probe.
const hintAgain = time.Hour

// Hint asks about an integration if something was heard of it that its verdict does not
// explain, unless it was asked about within the hour.
func (s *Schedule) Hint(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.Owner.Record(id)
	if record == nil || !s.leading {
		return
	}
	now := s.Owner.Now()
	w := s.queue.wait(id)
	if _, ok := record.Question(lifecycle.At(now)); !ok || w.inFlight || now.Sub(w.asked) < hintAgain {
		return
	}
	s.queue.set(w, now, again)
	s.poke()
}
