package lifecycle_test

import (
	"fmt"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// reading is one way to read what Mews's documents leave open.
type reading struct {
	// reinstating leaves the enabled flag alone (0), restores what it was before
	// the cancellation (1), or sets it (2).
	reinstating int
	clears      bool // canceling clears the enabled flag
	silent      bool // of toggles while canceled nothing is sent
	two         bool // there is a second switch, which cancellations leave alone
}

// readings are all of them.
func readings() (all []reading) {
	for _, two := range []bool{false, true} {
		for reinstating := range 3 {
			for _, clears := range []bool{false, true} {
				for _, silent := range []bool{false, true} {
					all = append(all, reading{reinstating, clears, silent, two})
				}
			}
		}
	}
	return all
}

// allowed reports whether an application with a policy counts on such a Mews.
func (r reading) allowed(p Policy) bool {
	switch {
	case r.two && p.Levels < 2:
		return false
	case p.Reinstated == No:
		return r.reinstating == 0 && !r.clears && !r.silent
	case p.Reinstated == Yes:
		return r.reinstating == 2
	}
	return true
}

// truth is how an integration really is.
type truth struct {
	enabled, canceled, deleted bool
	before                     bool // enabled when it was canceled
	off                        bool // the second switch is
	key                        int  // the newest token's number
}

// changes are what can happen to an integration after its creation.
var changes = []Action{
	IntegrationEnabled, IntegrationDisabled, IntegrationCanceled, IntegrationReinstated,
	IntegrationDeleted, IntegrationApiKeyCreated,
}

// The second switch has changes of its own, which are told like the first one's.
const (
	enabledSecond  Action = 100 + IntegrationEnabled
	disabledSecond Action = 100 + IntegrationDisabled
)

// told is the action that tells of a change.
func told(a Action) Action {
	if a > 100 {
		return a - 100
	}
	return a
}

// changes are what can happen under a reading.
func (r reading) changes() []Action {
	if r.two {
		return append(changes[:len(changes):len(changes)], enabledSecond, disabledSecond)
	}
	return changes
}

// maxRotations is how often a token is replaced at most.
const maxRotations = 2

// can reports whether something can happen now: toggles and cancellations
// alternate, and after the deletion there is nothing.
func (w truth) can(a Action) bool {
	switch {
	case w.deleted:
		return false
	case a == IntegrationEnabled:
		return !w.enabled
	case a == IntegrationDisabled:
		return w.enabled
	case a == enabledSecond:
		return w.off
	case a == disabledSecond:
		return !w.off
	case a == IntegrationCanceled:
		return !w.canceled
	case a == IntegrationReinstated:
		return w.canceled
	case a == IntegrationApiKeyCreated:
		return w.key < maxRotations
	}
	return true
}

// after returns the truth after something has happened.
func (w truth) after(a Action, r reading) truth {
	switch a {
	case IntegrationEnabled:
		w.enabled = true
	case IntegrationDisabled:
		w.enabled = false
	case enabledSecond:
		w.off = false
	case disabledSecond:
		w.off = true
	case IntegrationCanceled:
		w.canceled, w.before = true, w.enabled
		w.enabled = w.enabled && !r.clears
	case IntegrationReinstated:
		w.canceled = false
		w.enabled = [3]bool{w.enabled, w.before, true}[r.reinstating]
	case IntegrationDeleted:
		w.deleted = true
	case IntegrationApiKeyCreated:
		w.key++
	}
	return w
}

// sends reports whether Mews sends anything of it.
func (w truth) sends(a Action, r reading) bool {
	said := told(a)
	return !(r.silent && w.canceled && (said == IntegrationEnabled || said == IntegrationDisabled))
}

// works reports whether the Connector API accepts the n-th token.
func (w truth) works(n int) bool {
	return w.enabled && !w.off && !w.canceled && !w.deleted && n == w.key
}

// sent is one delivery as Mews sends it.
type sent struct {
	action  Action
	enabled Flag // of IntegrationCreated
	key     int
}

func (s sent) String() string {
	switch s.action {
	case IntegrationCreated:
		return "Created-" + s.enabled.String()
	case IntegrationApiKeyCreated:
		return fmt.Sprintf("Key%d", s.key)
	}
	return s.action.String()[len("Integration"):]
}

// arrives is the delivery at a time.
func (s sent) arrives(at Instant) Evidence {
	switch s.action {
	case IntegrationCreated:
		return created(s.enabled, token(0), at)
	case IntegrationApiKeyCreated:
		return rotated(token(s.key), at)
	}
	return delivery(s.action, at)
}

// birth is the creation of an integration, which may leave out IsEnabled.
func birth(enabled, told bool) (truth, sent) {
	s := sent{action: IntegrationCreated}
	if told {
		s.enabled = FlagOf(enabled)
	}
	return truth{enabled: enabled}, s
}

// happens lets something happen, and returns what is sent of it, if anything.
func (w truth) happens(a Action, r reading) (next truth, s sent, ok bool) {
	next = w.after(a, r)
	return next, sent{action: told(a), key: next.key}, w.sends(a, r)
}
