package keyrack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// ask puts one integration's question to Mews, and takes the answer in. The
// record's generation goes with it: a delivery that comes meanwhile makes the
// answer void, and asks its own question.
func (s *schedule) ask(ctx context.Context, w *wait) {
	backoff, settled := s.put(ctx, w)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
	w.inFlight, w.backoff = false, backoff
	if settled {
		w.attempts = 0
	} else {
		w.attempts++
	}
	switch record := s.rack.view.record(w.id); {
	case record == nil:
		delete(s.queue.waits, w.id)
	case s.leading:
		s.place(record)
	}
	s.poke()
}

// put asks, and returns how long to wait before asking again about what is not settled.
func (s *schedule) put(ctx context.Context, w *wait) (backoff time.Duration, settled bool) {
	record := s.rack.view.record(w.id)
	if record == nil {
		return s.lease, false
	}
	question, ok := record.Question()
	if !ok {
		return 0, true
	}
	token, err := s.rack.tokenOf(ctx, record.ID, question.Token)
	if errors.Is(err, store.ErrNotFound) {
		return s.lease, false // it was never kept: only a delivery can help
	}
	if err != nil {
		return connector.Backoff(w.attempts+1, 0, rand.Float64), false
	}
	answer := s.probe(ctx, record.ID, token, record.Enterprise.ID)
	key, _ := record.Key(question.Token)
	e := lifecycle.Evidence{
		Kind: lifecycle.KindProbe, Horizon: s.rack.options.horizon(),
		Integration: lifecycle.Named{ID: record.ID}, Enterprise: answer.Enterprise, Service: answer.Service,
		Token: question.Token, Began: lifecycle.At(answer.Began), Generation: record.Generation, Portfolio: answer.Portfolio,
	}
	verdict := record.Verdict(key.Digest, &s.rack.policy, s.rack.clock.instant())
	surprising := verdict.Guess() == lifecycle.Valid || verdict.Reason == lifecycle.ReasonUnattributed
	switch e.Answer = s.attribute(ctx, answer.Kind, record.ID, key.Accepted != 0, surprising); {
	case e.Answer == lifecycle.NoAnswer:
		return connector.Backoff(w.attempts+1, answer.RetryAfter, rand.Float64), false
	case e.Answer == lifecycle.Unattributed && key.Answer == e.Answer && key.Generation == record.Generation && key.Doubt == 0:
		return s.unattributed(w, surprising), false // known, and not worth another entry
	}
	if _, err := s.rack.takeAnswer(ctx, e); err != nil {
		s.rack.log.WarnContext(ctx, "a probe's answer is not stored", "error", err)
		return connector.Backoff(w.attempts+1, 0, rand.Float64), false
	}
	if e.Answer == lifecycle.Unattributed {
		return s.unattributed(w, surprising), false
	}
	return 0, true
}

// unattributed is how long to wait after a 401 that says nothing of the token:
// from a minute on, four times as long each time, up to half a lease. Where it
// matters, a witness is called first: an integration whose token works shows
// that the ClientToken does, and then the next 401 can be attributed.
func (s *schedule) unattributed(w *wait, surprising bool) time.Duration {
	if surprising && w.attempts < 3 && s.callWitness(w.id) {
		return ProbeGap + ProbeGap/2
	}
	return min(s.lease/2, time.Minute<<min(2*w.attempts, 20))
}

// callWitness asks anew about an integration whose token works, as far as is
// known. It tells whether there is one.
func (s *schedule) callWitness(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.rack.clock.now()
	for other := range s.rack.Integrations() {
		if other.ID == id || !s.rack.verdict(&other, lifecycle.At(now)).Active() {
			continue
		}
		if w := s.queue.wait(other.ID); !w.inFlight {
			s.queue.set(w, laterOf(now, w.asked.Add(ProbeGap)), true)
			s.poke()
		}
		return true
	}
	return false
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// heard notes a 200 that the application saw: it vouches for the ClientToken.
func (s *schedule) heard(ctx context.Context, id string) {
	s.attribute(ctx, connector.Accepted, id, true, false)
}

// hint asks about an integration of which something was heard that its verdict
// does not explain, unless it was asked about within the hour.
func (s *schedule) hint(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.rack.view.record(id)
	if record == nil || !s.leading {
		return
	}
	now := s.rack.clock.now()
	w := s.queue.wait(id)
	if _, ok := record.Question(); !ok || w.inFlight || now.Sub(w.asked) < refresh {
		return
	}
	s.queue.set(w, now, false)
	s.poke()
}

// enterpriseProber is implemented by probers that can ask whether a token covers
// one enterprise, as [connector.Client] does.
type enterpriseProber interface {
	ProbeEnterprise(ctx context.Context, token Token, enterprise string) (connector.Answer, error)
}

// probe asks about a token. One that covers a whole portfolio would be accepted
// for any integration; so it is asked, where the prober can, whether it covers
// the integration's own enterprise, as far as that is known.
func (s *schedule) probe(ctx context.Context, id string, token Token, enterprise string) connector.Answer {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	answer := s.contained(ctx, id, func(ctx context.Context) (connector.Answer, error) { return s.prober.Probe(ctx, token) })
	closer, ok := s.prober.(enterpriseProber)
	if !ok || !answer.Portfolio || enterprise == "" || enterprise == answer.Enterprise.ID {
		return answer
	}
	second := s.contained(ctx, id, func(ctx context.Context) (connector.Answer, error) {
		return closer.ProbeEnterprise(ctx, token, enterprise)
	})
	switch second.Kind {
	case connector.Silent:
		return second
	case connector.Accepted:
		answer.Enterprise = second.Enterprise
	}
	answer.Portfolio = false // now it must name the integration's own enterprise
	return answer
}

// contained asks a prober, whose panics and clock are not trusted.
func (s *schedule) contained(ctx context.Context, id string, ask func(context.Context) (connector.Answer, error)) (answer connector.Answer) {
	ctx, asking := s.rack.tell.begin(ctx, WorkProbe, "")
	var err error
	defer func() { s.rack.tell.probed(asking, id, answer, err) }()
	began := s.rack.clock.now()
	if v := guard.Panicked(func() { answer, err = ask(ctx) }); v != nil {
		s.rack.log.Error("panic in the prober", "type", fmt.Sprintf("%T", v))
		answer = connector.Answer{}
	}
	if err != nil {
		answer.Kind = connector.Silent
	}
	answer.Began = began
	return answer
}

// attribute says what an answer means, in the light of what else was heard.
func (s *schedule) attribute(ctx context.Context, kind connector.Kind, id string, workedBefore, surprising bool) lifecycle.Answer {
	s.mu.Lock()
	now := s.rack.clock.now()
	switch kind {
	case connector.Accepted:
		ended := s.attribution.accept(id, now)
		if ended {
			s.resume()
		}
		s.mu.Unlock()
		if ended {
			s.rack.alarm(ctx, Alarm{Kind: AlarmTroubleOver})
		}
		return lifecycle.Accepted
	case connector.Unauthorized:
		before := s.attribution.trouble
		answer, doubted := s.attribution.reject(id, workedBefore, surprising, now)
		began := s.attribution.trouble && !before
		s.mu.Unlock()
		if began {
			s.rack.alarm(ctx, Alarm{Kind: AlarmTrouble})
			s.doubt(ctx, doubted)
		}
		return answer
	}
	s.mu.Unlock()
	return lifecycle.NoAnswer
}

// resume asks at once for what trouble held up. s.mu is held.
func (s *schedule) resume() {
	for _, w := range s.queue.waits {
		if w.attempts > 0 && !w.inFlight {
			w.attempts, w.backoff = 0, 0
			if record := s.rack.view.record(w.id); record != nil {
				s.place(record)
			}
		}
	}
}

// doubt takes back the rejections of the minute before a trouble was recognised.
func (s *schedule) doubt(ctx context.Context, integrations []string) {
	for _, id := range integrations {
		record := s.rack.view.record(id)
		if record == nil {
			continue
		}
		for _, key := range record.Keys {
			if key.Answer != lifecycle.Rejected || record.State == lifecycle.Deleted {
				continue
			}
			_, err := s.rack.takeAnswer(ctx, lifecycle.Evidence{
				Kind: lifecycle.KindProbe, Horizon: s.rack.options.horizon(), Integration: lifecycle.Named{ID: id},
				Token: key.Digest, Answer: lifecycle.Unattributed, Began: key.Began, Generation: record.Generation,
			})
			if err != nil {
				s.rack.log.WarnContext(ctx, "a doubtful rejection is not taken back", "error", err)
			}
		}
	}
}

// takeAnswer journals an answer of Mews's.
func (r *Rack) takeAnswer(ctx context.Context, e lifecycle.Evidence) (Receipt, error) {
	now := r.clock.now()
	e.At = lifecycle.At(now)
	return r.take(ctx, &taking{id: store.NewEntryID(now), evidence: e})
}

// tokenOf returns a token of an integration, in clear.
func (r *Rack) tokenOf(ctx context.Context, id string, d lifecycle.Digest) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, r.options.storeTimeout())
	defer cancel()
	sealed, err := r.store.Sealed(ctx, store.Ref{Integration: id, Digest: d})
	if err != nil {
		return Token{}, fmt.Errorf("keyrack: reading the token: %w", err)
	}
	return r.unsealToken(sealed, id)
}

func (r *Rack) unsealToken(sealed []byte, id string) (Token, error) {
	plain, err := r.sealer.Open(sealed, id)
	if err != nil {
		return Token{}, fmt.Errorf("keyrack: opening the token: %w", err)
	}
	return lifecycle.NewToken(string(plain)), nil
}
