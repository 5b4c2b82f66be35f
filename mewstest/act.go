package mewstest

import (
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// What a hotel does. Each act returns the message that reports it. If nothing changed,
// or Mews reports nothing, that is nil, whose methods do nothing.

// Enable enables the integration.
func (i *Integration) Enable() *Message { return i.do(enable) }

// Disable disables the integration.
func (i *Integration) Disable() *Message { return i.do(disable) }

// Cancel cancels the integration.
func (i *Integration) Cancel() *Message { return i.do(cancel) }

// Reinstate takes a cancellation back.
func (i *Integration) Reinstate() *Message { return i.do(reinstate) }

// Delete deletes the integration for good.
func (i *Integration) Delete() *Message { return i.do(remove) }

// RotateKey replaces the token.
func (i *Integration) RotateKey() *Message { return i.do(rotate) }

// DisableInMews disables the integration on the second level, inside Mews. No webhook
// reports it unless Readings.MewsTells is set.
func (i *Integration) DisableInMews() *Message { return i.do(disableInMews) }

// EnableInMews ends what DisableInMews began.
func (i *Integration) EnableInMews() *Message { return i.do(enableInMews) }

func (i *Integration) do(a act) *Message {
	w := i.world
	w.mu.Lock()
	m, changed := i.doLocked(a)
	w.mu.Unlock()
	if changed {
		w.notify(i)
	}
	return m
}

func (i *Integration) doLocked(a act) (*Message, bool) {
	w := i.world
	next, action, changed := i.truth.after(a, &w.options.Readings)
	if !changed {
		return nil, false
	}
	i.truth = next
	e := events.Event{Action: action}
	switch a {
	case rotate:
		e.ApiKey = i.newKey()
	case remove:
		e.DeletedUtc = w.now().UTC().Truncate(time.Second)
	}
	w.stats.Changes++
	w.note(LogEntry{Kind: Changed, Integration: i.number, What: actNames[a]})
	if action == lifecycle.ActionUnknown {
		return nil, true
	}
	return w.tell(i, e), true
}

// newKey replaces the current key. w.mu is held.
func (i *Integration) newKey() lifecycle.Token {
	w := i.world
	i.rotated++
	r := fate(w.options.Seed, ofKey, i.number, i.rotated)
	fresh := lifecycle.NewToken(token(r, guid(r)))
	former := w.options.Readings.FormerKey
	i.keys[len(i.keys)-1].until = w.now().Add(former)
	if former > 0 {
		w.after(former, func() { w.notify(i) })
	}
	if len(i.keys) == keptKeys {
		delete(w.keys, identify(i.keys[0].token.Reveal()))
		i.keys = append(i.keys[:0:0], i.keys[1:]...)
	}
	next := key{token: fresh}
	if slow := w.options.Readings.SlowKey; slow > 0 {
		next.from = w.now().Add(slow)
		w.after(slow, func() { w.notify(i) })
	}
	i.keys = append(i.keys, next)
	w.keys[identify(fresh.Reveal())] = i
	return fresh
}

// Works reports whether the current token works at this moment.
func (i *Integration) Works() bool {
	w := i.world
	w.mu.Lock()
	defer w.mu.Unlock()
	return i.refusal(len(i.keys)-1) == ""
}

// Deleted reports whether the integration was deleted.
func (i *Integration) Deleted() bool {
	w := i.world
	w.mu.Lock()
	defer w.mu.Unlock()
	return i.truth.deleted
}

// accepts is refusal by token. w.mu is held.
func (i *Integration) accepts(token string) (refusal string) {
	for n := range i.keys {
		if i.keys[n].token.Reveal() == token {
			return i.refusal(n)
		}
	}
	return "Invalid AccessToken."
}

// refusal says why the key with that index does not work; "" means that it works. w.mu
// is held.
func (i *Integration) refusal(n int) string {
	switch {
	case n < len(i.keys)-1 && !i.world.now().Before(i.keys[n].until), i.world.now().Before(i.keys[n].from), i.truth.deleted:
		return "Invalid AccessToken."
	case i.enterprise.off:
		return "The enterprise is disabled."
	case !i.truth.works(&i.world.options.Readings):
		return "The integration is disabled."
	}
	return ""
}

// keyState is one of an integration's tokens at one moment.
type keyState struct {
	token  lifecycle.Token
	former int // how many tokens came after it
	works  bool
}

// keyStates returns the integration's keys as they are now, the current one first.
func (i *Integration) keyStates() (keys [keptKeys]keyState, n int, deleted bool) {
	w := i.world
	w.mu.Lock()
	defer w.mu.Unlock()
	for n = range i.keys {
		at := len(i.keys) - 1 - n
		keys[n] = keyState{i.keys[at].token, n, i.refusal(at) == ""}
	}
	return keys, len(i.keys), i.truth.deleted
}
