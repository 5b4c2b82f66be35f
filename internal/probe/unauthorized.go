package probe

import (
	"context"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// unauthorized says what a 401 is worth as evidence; NoAnswer if it says nothing new.
func (s *Schedule) unauthorized(ctx context.Context, record *lifecycle.Record, token lifecycle.Digest, began, answered time.Time) lifecycle.Answer {
	key, _ := record.Key(token)
	quiet := s.quiet(record, token)
	if quiet.Status == lifecycle.Invalid || another(record, &key, lifecycle.At(began)) {
		return lifecycle.Expected
	}
	known := key.Generation == record.Generation && key.Doubt == 0
	if known && key.Answer == lifecycle.Rejected {
		return lifecycle.Rejected // once more: it takes no witness
	}
	refused := known && (key.Answer == lifecycle.RejectedOnce || key.Answer == lifecycle.Unattributed)
	valid := quiet.Status == lifecycle.Valid && !refused // until now
	s.mu.Lock()
	trouble := s.attribution.trouble
	since := s.attribution.since
	begins := s.attribution.reject(record.ID, token, record.Generation, valid, began, answered)
	if trouble && !slices.Contains(s.touched, record.ID) {
		s.touched = append(s.touched, record.ID)
	}
	s.mu.Unlock()
	switch {
	case trouble && valid && key.Answer != lifecycle.Withdrawn:
		return lifecycle.Withdrawn // the verdict stays, and says so
	case trouble:
		return lifecycle.NoAnswer // as silent as no answer at all
	case begins:
		s.Owner.Alarm(ctx, Trouble)
		s.takeBack(ctx, record.ID, since)
		return lifecycle.Withdrawn
	case refused:
		return lifecycle.NoAnswer // known, and not worth another entry
	}
	return lifecycle.Unattributed
}

// resumeTrouble goes on with a trouble that was not over when the former leader ended: the
// records tell whom it had touched. It reports whether there was one.
func (s *Schedule) resumeTrouble() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attribution.trouble {
		return false
	}
	var touched []string
	for record := range s.Owner.Records() {
		if key, _ := record.CurrentKey(); key.Answer == lifecycle.Withdrawn {
			touched = append(touched, record.ID)
		}
	}
	if len(touched) < 2 {
		return false
	}
	slices.Sort(touched)
	s.attribution.trouble, s.touched = true, touched
	return true
}

// another reports whether another token of the integration works, so that the 401 to a
// request about this one is no surprise.
func another(record *lifecycle.Record, key *lifecycle.Key, began lifecycle.Instant) bool {
	current, ok := record.CurrentKey()
	if !ok || current.Digest == key.Digest || current.Answer != lifecycle.Accepted || current.Dispute != "" {
		return false
	}
	return key.Answer != lifecycle.Accepted || began.Sub(current.Accepted) <= Window
}

// takeBack takes back what 401s said since the latest 200 before a trouble, and notes
// whom the trouble has touched.
func (s *Schedule) takeBack(ctx context.Context, id string, since time.Time) {
	if since.IsZero() {
		since = s.Owner.Now().Add(-troubleWindow)
	}
	touched := []string{id}
	for record := range s.Owner.Records() {
		if record.State == lifecycle.Deleted {
			continue
		}
		concerned := false
		for _, k := range record.Keys {
			// What is rejected was settled by a 200 that came later, and then said again.
			refused := k.Answer == lifecycle.Unattributed || k.Answer == lifecycle.RejectedOnce
			if !(refused && k.Began.Time().After(since)) && !(k.Doubt != 0 && k.Doubt.Time().After(since)) {
				continue
			}
			concerned = true
			err := s.Owner.Take(ctx, lifecycle.Evidence{
				Kind: lifecycle.KindProbe, Integration: lifecycle.Named{ID: record.ID}, Token: k.Digest,
				Answer: lifecycle.Withdrawn, Began: max(k.Began, k.Doubt), Generation: record.Generation,
			})
			if err != nil {
				s.Log.WarnContext(ctx, "a doubtful 401 is not taken back", "error", err)
			}
		}
		if concerned && record.ID != id {
			touched = append(touched, record.ID)
		}
	}
	slices.Sort(touched)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched = touched
	s.pace = s.Owner.Now().Add(time.Minute)
}

// accepted takes in a 200 for what it says about other tokens' 401s.
func (s *Schedule) accepted(ctx context.Context, id string, began time.Time) {
	s.mu.Lock()
	last := s.heard
	s.heard = laterOf(s.heard, began)
	settled, ended := s.attribution.accept(id, began)
	var touched []string
	if ended {
		touched, s.touched = s.touched, nil
		s.pace = time.Time{}
		for _, id := range touched {
			s.attribution.touched[id] = true // until it is answered 200
			w := s.queue.wait(id)
			w.attempts, w.backoff = 0, 0
			if s.leading {
				s.place(id)
			}
		}
		delete(s.attribution.touched, id)
		s.resume(func(*wait) bool { return true })
	} else {
		s.answeredAgain(last, began)
	}
	s.pursue()
	s.poke()
	s.mu.Unlock()
	if ended {
		s.Owner.Alarm(ctx, TroubleOver)
	}
	if settled != nil {
		s.settle(ctx, settled)
	}
}

// silence is how long nothing was answered before an answer ends a silence. Where single
// integrations alone get no answer, the others get theirs more often in all but small fleets.
const silence = 40 * time.Second

// answeredAgain has all asked at once whose probes got no answer, if an answer to a
// question of this time is the first one after a silence. s.mu is held.
func (s *Schedule) answeredAgain(last, began time.Time) {
	if began.Sub(last) >= silence {
		s.resume(func(w *wait) bool { return w.silent })
	}
}

// resume asks soon for what was asked in vain, as far as which selects it. s.mu is held.
func (s *Schedule) resume(which func(*wait) bool) {
	if !s.leading {
		return
	}
	for _, w := range s.queue.waits {
		if w.attempts > 0 && !w.inFlight && which(w) {
			w.attempts, w.backoff = 0, 0
			s.place(w.id)
		}
	}
}

// settle takes a 401 in that was attributed: the first, or the second a minute later.
func (s *Schedule) settle(ctx context.Context, q *inquiry) {
	record := s.Owner.Record(q.id)
	if record == nil || record.Generation != q.generation {
		return // a delivery came: it sends a probe of its own
	}
	key, ok := record.Key(q.token)
	began := lifecycle.At(q.began)
	if !ok || key.Began > began {
		return
	}
	answer := lifecycle.RejectedOnce
	if key.Answer == lifecycle.RejectedOnce {
		if began.Sub(key.Began) < time.Minute {
			return
		}
		answer = lifecycle.Rejected
	}
	err := s.Owner.Take(ctx, lifecycle.Evidence{
		Kind: lifecycle.KindProbe, Integration: lifecycle.Named{ID: q.id}, Token: q.token,
		Answer: answer, Began: began, Generation: q.generation,
	})
	if err != nil {
		s.Log.WarnContext(ctx, "a rejection is not stored", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.queue.wait(q.id)
	w.attempts, w.backoff = 0, 0
	if answer == lifecycle.Rejected {
		w.refusals++
	}
	if s.leading {
		s.place(q.id)
		s.poke()
	}
}

// holds reports whether a probe has to wait: its 401 would come between the two 200s
// that the inquiry is waiting for. So many 401s are attributed one after the other, each
// within seconds. s.mu is held.
func (s *Schedule) holds(w *wait) bool {
	q := s.attribution.inquiry
	if q == nil || q.id == w.id || s.witness == w.id {
		return false
	}
	record := s.Owner.Record(w.id)
	if record == nil {
		return false
	}
	if question, ok := record.Question(lifecycle.At(s.Owner.Now())); ok {
		if k, _ := record.Key(question.Token); k.Proved != 0 && k.Answer == lifecycle.Accepted {
			return false // Mews has confirmed it, so a 401 is not what is expected
		}
	}
	return slices.ContainsFunc(record.Keys, func(k lifecycle.Key) bool {
		return k.Generation == record.Generation && (k.Answer == lifecycle.Unattributed || k.Answer == lifecycle.RejectedOnce)
	})
}

// pursue sees to it that the inquiry goes on: it has a witness asked, or the token
// again. s.mu is held.
func (s *Schedule) pursue() {
	if !s.leading {
		return
	}
	now := s.Owner.Now()
	if id := s.attribution.expire(now); id != "" {
		s.place(id)
	}
	q := s.attribution.inquiry
	switch {
	case q == nil:
		return
	case q.answered.IsZero():
		s.place(q.id)
		return
	case s.witness != "":
		return
	}
	for id := range s.attribution.witnesses() {
		w := s.queue.wait(id)
		if id == q.id || w.inFlight || s.Owner.Record(id) == nil {
			continue
		}
		due := now
		if !w.asked.IsZero() {
			due = laterOf(now, w.asked.Add(max(Gap, w.backoff)))
		}
		s.queue.set(w, due, again)
		s.witness = id
		s.poke()
		return
	}
}

// holdFor is how long a probe waits that would come between an inquiry's.
const holdFor = 2 * time.Second

// longestUnasked takes that integration out of the queue which worked when a trouble began
// and has not been asked for longest: one that stopped working itself must not be asked
// for ever in place of those that could end the trouble.
func (s *Schedule) longestUnasked() *wait {
	var longest *wait
	for id := range s.attribution.witnesses() {
		w := s.queue.wait(id)
		if w.inFlight || s.Owner.Record(id) == nil {
			continue
		}
		if longest == nil || w.asked.Before(longest.asked) {
			longest = w
		}
	}
	if longest != nil {
		s.queue.unset(longest)
	}
	return longest
}

// tellNobody raises the alarm if no token of the fleet has worked for too long.
func (s *Schedule) tellNobody(ctx context.Context) {
	s.mu.Lock()
	nobody := s.attribution.nobody(s.Owner.Now())
	s.mu.Unlock()
	if nobody {
		s.Owner.Alarm(ctx, NoWitness)
	}
}

// Heard notes a 200 that the application saw on a call that began at a time: it vouches
// for the ClientToken.
func (s *Schedule) Heard(ctx context.Context, id string, began time.Time) {
	s.accepted(ctx, id, began)
}

// Vouch has a witness asked at once, beside the probe of an integration whose token
// the application saw a 401 for: unless somebody else worked a moment ago.
func (s *Schedule) Vouch(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Owner.Now()
	if !s.leading || s.attribution.trouble || s.attribution.vouched(id, now) && now.Sub(s.attribution.accepted[0].at) < Gap {
		return
	}
	for other := range s.attribution.witnesses() {
		w := s.queue.wait(other)
		if other == id || w.inFlight || s.Owner.Record(other) == nil || now.Sub(w.asked) < Gap {
			continue
		}
		s.queue.set(w, now, unknown)
		s.poke()
		return
	}
}
