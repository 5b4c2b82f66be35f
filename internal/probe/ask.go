package probe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/backoff"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// ask puts one integration's question to Mews, and takes the answer in. The
// record's generation goes with it: a delivery that comes meanwhile makes the
// answer void, and asks its own question.
func (s *Schedule) ask(ctx context.Context, w *wait) {
	pause, settled := s.put(ctx, w)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying--
	w.inFlight, w.backoff = false, pause
	if settled {
		w.attempts = 0
	} else {
		w.attempts++
	}
	switch {
	case s.Owner.Record(w.id) == nil:
		delete(s.queue.waits, w.id)
	case s.leading:
		s.place(w.id)
	}
	s.poke()
}

// put asks, and returns how long to wait before asking again about what is not settled.
func (s *Schedule) put(ctx context.Context, w *wait) (pause time.Duration, settled bool) {
	record := s.Owner.Record(w.id)
	if record == nil {
		return s.MaxAge, false
	}
	question, ok := record.Question()
	if !ok {
		return 0, true
	}
	token, err := s.Owner.Token(ctx, record.ID, question.Token)
	if errors.Is(err, store.ErrNotFound) {
		return s.MaxAge, false // it was never kept: only a delivery can help
	}
	if err != nil {
		return backoff.Wait(w.attempts+1, 0, rand.Float64), false
	}
	answer := s.probe(ctx, record.ID, token, record.Enterprise.ID)
	key, _ := record.Key(question.Token)
	e := lifecycle.Evidence{
		Kind:        lifecycle.KindProbe,
		Integration: lifecycle.Named{ID: record.ID}, Enterprise: answer.Enterprise, Service: answer.Service,
		Token: question.Token, Began: lifecycle.At(answer.Began), Generation: record.Generation, Portfolio: answer.Portfolio,
	}
	verdict := s.Owner.Verdict(record, key.Digest)
	surprising := verdict.Guess() == lifecycle.Valid || verdict.Reason == lifecycle.ReasonUnattributed
	switch e.Answer = s.attribute(ctx, answer.Kind, record.ID, key.Accepted != 0, surprising); {
	case e.Answer == lifecycle.NoAnswer:
		return backoff.Wait(w.attempts+1, answer.RetryAfter, rand.Float64), false
	case e.Answer == lifecycle.Unattributed && key.Answer == e.Answer && key.Generation == record.Generation && key.Doubt == 0:
		return s.unattributed(w, surprising), false // known, and not worth another entry
	}
	if err := s.Owner.Take(ctx, e); err != nil {
		s.Log.WarnContext(ctx, "a probe's answer is not stored", "error", err)
		return backoff.Wait(w.attempts+1, 0, rand.Float64), false
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
func (s *Schedule) unattributed(w *wait, surprising bool) time.Duration {
	if surprising && w.attempts < 3 && s.callWitness(w.id) {
		return Gap + Gap/2
	}
	return min(s.MaxAge/2, time.Minute<<min(2*w.attempts, 20))
}

// callWitness asks anew about an integration whose token works, as far as is
// known. It tells whether there is one.
func (s *Schedule) callWitness(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Owner.Now()
	for other := range s.Owner.Records() {
		if other.ID == id || !s.Owner.Verdict(other, lifecycle.Digest{}).Active() {
			continue
		}
		if w := s.queue.wait(other.ID); !w.inFlight {
			s.queue.set(w, laterOf(now, w.asked.Add(Gap)), true)
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

// Heard notes a 200 that the application saw: it vouches for the ClientToken.
func (s *Schedule) Heard(ctx context.Context, id string) {
	s.attribute(ctx, connector.Accepted, id, true, false)
}

// hintAgain is how long a hint about an integration is worth no further question.
const hintAgain = time.Hour

// Hint asks about an integration of which something was heard that its verdict
// does not explain, unless it was asked about within the hour.
func (s *Schedule) Hint(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record := s.Owner.Record(id)
	if record == nil || !s.leading {
		return
	}
	now := s.Owner.Now()
	w := s.queue.wait(id)
	if _, ok := record.Question(); !ok || w.inFlight || now.Sub(w.asked) < hintAgain {
		return
	}
	s.queue.set(w, now, false)
	s.poke()
}

// probe puts a question, to a prober whose panics and clock are not trusted.
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

// attribute says what an answer means, in the light of what else was heard.
func (s *Schedule) attribute(ctx context.Context, kind connector.Kind, id string, workedBefore, surprising bool) lifecycle.Answer {
	s.mu.Lock()
	now := s.Owner.Now()
	switch kind {
	case connector.Accepted:
		ended := s.attribution.accept(id, now)
		if ended {
			s.resume()
		}
		s.mu.Unlock()
		if ended {
			s.Owner.Trouble(ctx, true)
		}
		return lifecycle.Accepted
	case connector.Unauthorized:
		before := s.attribution.trouble
		answer, doubted := s.attribution.reject(id, workedBefore, surprising, now)
		began := s.attribution.trouble && !before
		s.mu.Unlock()
		if began {
			s.Owner.Trouble(ctx, false)
			s.doubt(ctx, doubted)
		}
		return answer
	}
	s.mu.Unlock()
	return lifecycle.NoAnswer
}

// resume asks at once for what trouble held up. s.mu is held.
func (s *Schedule) resume() {
	for _, w := range s.queue.waits {
		if w.attempts > 0 && !w.inFlight {
			w.attempts, w.backoff = 0, 0
			s.place(w.id)
		}
	}
}

// doubt takes back the rejections of the minute before a trouble was recognised.
func (s *Schedule) doubt(ctx context.Context, integrations []string) {
	for _, id := range integrations {
		record := s.Owner.Record(id)
		if record == nil {
			continue
		}
		for _, key := range record.Keys {
			if key.Answer != lifecycle.Rejected || record.State == lifecycle.Deleted {
				continue
			}
			err := s.Owner.Take(ctx, lifecycle.Evidence{
				Kind: lifecycle.KindProbe, Integration: lifecycle.Named{ID: id},
				Token: key.Digest, Answer: lifecycle.Unattributed, Began: key.Began, Generation: record.Generation,
			})
			if err != nil {
				s.Log.WarnContext(ctx, "a doubtful rejection is not taken back", "error", err)
			}
		}
	}
}
