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
}

// readings are all of them.
func readings() (all []reading) {
	for reinstating := range 3 {
		for _, clears := range []bool{false, true} {
			for _, silent := range []bool{false, true} {
				all = append(all, reading{reinstating, clears, silent})
			}
		}
	}
	return all
}

// truth is how an integration really is.
type truth struct {
	enabled, canceled, deleted bool
	before                     bool // enabled when it was canceled
	key                        int  // the newest token's number
}

// changes are what can happen to an integration after its creation.
var changes = []Action{
	IntegrationEnabled, IntegrationDisabled, IntegrationCanceled, IntegrationReinstated,
	IntegrationDeleted, IntegrationApiKeyCreated,
}

// maxRotations is how often a token is replaced at most.
const maxRotations = 2

// can tells whether something can happen now: toggles and cancellations
// alternate, and after the deletion there is nothing.
func (w truth) can(a Action) bool {
	switch {
	case w.deleted:
		return false
	case a == IntegrationEnabled:
		return !w.enabled
	case a == IntegrationDisabled:
		return w.enabled
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

// sends tells whether Mews sends anything of it.
func (w truth) sends(a Action, r reading) bool {
	return !(r.silent && w.canceled && (a == IntegrationEnabled || a == IntegrationDisabled))
}

// works tells whether the Connector API accepts the n-th token.
func (w truth) works(n int) bool {
	return w.enabled && !w.canceled && !w.deleted && n == w.key
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
	return next, sent{action: a, key: next.key}, w.sends(a, r)
}
