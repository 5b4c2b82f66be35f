package mewstest

import (
	"context"
	"time"

	"github.com/keyrack-dev/keyrack/events"
)

// tell makes the message that reports a change, and whatever the faults make of it.
// w.mu is held.
func (w *World) tell(i *Integration, e events.Event) *Message {
	i.told++
	w.stats.Messages++
	e.Integration = i.named
	m := &Message{world: w, of: i, number: i.told, name: e.Action.String()}
	f := &w.faults
	r := fate(w.options.Seed, ofMessage, i.number, m.fate())
	lag := w.options.lag().draw(r)
	loses, doubles := chance(r, f.Lose), chance(r, f.Duplicate)
	reorders, delays := chance(r, f.Reorder), chance(r, f.Delay)
	nulls, extra := chance(r, f.Null), chance(r, f.Extra)
	audits, generals := chance(r, f.Unknown), chance(r, f.General)
	drawn := w.nextFate()
	loses, doubles = loses || drawn.Lose, doubles || drawn.Duplicate
	late := f.DelayBy.or(Spread{5 * time.Minute, 15 * time.Minute}).draw(r)
	copyAfter := f.CopyAfter.or(Spread{0, 10 * time.Minute}).draw(r)

	if nulls {
		blank(&e, fate(w.options.Seed, ofNulls, i.number, m.fate()))
	}
	body, err := events.Encode(e)
	if err != nil {
		panic(err) // only an impossible name of a hotel can do that
	}
	if extra {
		body = withExtra(body)
	}
	m.body = events.NewRaw(body)
	i.latest = m
	if w.manual && !loses {
		m.set(held)
		return m
	}
	beside := func(s sort, name string, body events.Raw, after time.Duration) {
		beside := &Message{world: w, of: i, number: i.told, sort: s, name: name, body: body}
		w.begin(beside, w.lagOf(beside)+after)
	}
	if doubles {
		w.stats.Duplicates++
		beside(duplicate, m.name, m.body, copyAfter)
	}
	if audits {
		beside(unknown, "IntegrationAudited", events.NewRaw(unknownBody(i)), 0)
	}
	if generals {
		beside(general, "General Webhook", events.NewRaw(generalBody(i, r)), 0)
	}
	switch {
	case loses:
		m.set(lost)
		w.stats.Lost++
		w.note(m.entry(Lost, "never sent"))
		return m
	case drawn.Reorder:
		m.set(overtakable)
		w.overtakable = append(w.overtakable, m)
		return m
	case drawn.Delay > 0:
		lag += drawn.Delay
	case delays:
		lag += late
	case !reorders:
		m.follows, i.tail = i.tail, m
	}
	w.overtaken(m)
	w.begin(m, lag)
	return m
}

// lagOf draws the lag of a message with no other fate.
func (w *World) lagOf(m *Message) time.Duration {
	return w.options.lag().draw(fate(w.options.Seed, ofMessage, m.integration(), m.fate()))
}

// begin starts a message on its way, or holds it. w.mu is held.
func (w *World) begin(m *Message, lag time.Duration) {
	if w.manual {
		m.set(held)
		return
	}
	m.set(planned)
	w.send(m, lag)
}

// release sends a held message on its usual way. w.mu is held.
func (w *World) release(m *Message) {
	m.set(planned)
	w.send(m, w.lagOf(m))
}

// send plans the next attempt of a planned message. w.mu is held.
func (w *World) send(m *Message, in time.Duration) {
	m.turn++
	turn := m.turn
	w.after(in, func() { w.due(m, turn) })
}

// due makes an attempt, if the time has come for it.
func (w *World) due(m *Message, turn int) {
	w.mu.Lock()
	jam := longest(w.faults.Jams, w.since(w.began))
	switch {
	case m.state != planned || m.turn != turn:
		w.mu.Unlock()
		return
	case jam > 0:
		w.send(m, jam)
		w.mu.Unlock()
		return
	case m.follows != nil && !m.follows.tried:
		m.follows.waiting = append(m.follows.waiting, m)
		w.mu.Unlock()
		return
	}
	m.follows = nil
	m.state = underWay
	w.mu.Unlock()
	w.aside(func() { w.attempt(context.Background(), m, false) })
}

// pass releases the messages that wait for another one to be tried. w.mu is held.
func (w *World) pass(m *Message) {
	m.tried = true
	if m.of != nil && m.of.tail == m {
		m.of.tail = nil
	}
	for _, next := range m.waiting {
		if next.state == planned {
			w.send(next, 0)
		}
	}
	m.waiting = nil
}

// attempt makes one attempt, and plans the next if there is to be one. A script's
// has no faults and no next.
func (w *World) attempt(ctx context.Context, m *Message, script bool) Reply {
	w.mu.Lock()
	m.attempts++
	f := &w.faults
	r := fate(w.options.Seed, ofAttempt, m.integration(), m.fate()<<16+m.attempts)
	fails, losesAnswer, untyped := chance(r, f.Fail), chance(r, f.LoseAnswer), chance(r, f.Untyped)
	gap := w.options.gap().draw(r)
	away := longest(f.Outages, w.since(w.began)) > 0
	if script {
		fails, losesAnswer, untyped, away = false, false, false, false
	}
	contentType := "application/json"
	if untyped {
		contentType = ""
	}
	sender := w.sender
	w.stats.Attempts++
	sent := m.entry(Sent, "")
	switch {
	case fails:
		sent.Note = "fails on the way"
	case away:
		sent.Note = "in an outage"
	case w.options.KeepBodies:
		sent.Body = m.body
	}
	attempt := m.attempts
	w.note(sent)
	w.mu.Unlock()

	answer := Reply{Trouble: troubleRefused}
	if !fails && !away {
		answer = sender.post(ctx, m.body.Bytes(), contentType)
		if w.own.Load() != nil {
			answer.Took = 0 // no time passed on the World's clock
		}
	}
	reached := answer.Delivered()
	if reached && losesAnswer {
		answer.Trouble = "the answer got lost"
	}

	w.mu.Lock()
	w.answered(m, attempt, answer, reached)
	if m.state == underWay {
		w.next(m, answer.Delivered(), gap)
	}
	w.pass(m)
	w.notifySoon(m.of)
	w.mu.Unlock()
	w.notify(m.of)
	return answer
}

// answered takes an answer down. w.mu is held.
func (w *World) answered(m *Message, attempt int, answer Reply, reached bool) {
	w.stats.count(answer, reached)
	e := m.entry(Answered, answer.Trouble)
	e.Attempt, e.Status, e.Took = attempt, answer.Status, answer.Took
	w.note(e)
	if answer.Redirected > 0 {
		e := m.entry(Leaked, "body and token followed a redirection")
		e.Attempt = attempt
		w.note(e)
	}
}

// next decides what becomes of a message after an attempt. w.mu is held.
func (w *World) next(m *Message, done bool, gap time.Duration) {
	switch {
	case done:
		m.set(delivered)
	case m.attempts >= w.options.attempts():
		m.set(discarded)
		w.stats.Discarded++
		w.note(m.entry(Discarded, ""))
	default:
		m.set(planned)
		w.send(m, gap)
	}
}
