package mewstest

import (
	"iter"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Readings are this World's choices where Mews's documents leave something open. The
// zero value is the simplest reading of each.
type Readings struct {
	// Reinstating is what reinstating does to the enabled flag.
	Reinstating Reinstating
	// CancelingClears: canceling clears the enabled flag, and no event reports it.
	CancelingClears bool
	// WhileCanceled is what becomes of Enable and Disable while canceled.
	WhileCanceled WhileCanceled
	// CanceledWorks: a canceled integration's token works until it is deleted. It is
	// for receivers that rely on it: see lifecycle.CanceledUsable.
	CanceledWorks bool
	// FormerKey is how long the former token keeps working after a new one was created.
	// 0 means not at all.
	FormerKey time.Duration
	// SlowKey is how long after a rotation the new token begins to work. 0: it
	// works at once. Until then nothing does, unless FormerKey says otherwise.
	SlowKey time.Duration
	// MewsTells: DisableInMews and EnableInMews send IntegrationDisabled and
	// IntegrationEnabled, which then need not alternate.
	MewsTells bool
}

// Reinstating is what reinstating does to the enabled flag, without an event.
type Reinstating uint8

const (
	ReinstatingLeaves   Reinstating = iota // as it is
	ReinstatingRestores                    // as it was when it was canceled
	ReinstatingSets                        // enabled
)

// WhileCanceled is what becomes of Enable and Disable while canceled.
type WhileCanceled uint8

const (
	TogglesTell   WhileCanceled = iota // the flag changes, and an event reports it
	TogglesSilent                      // the flag changes, and no event reports it
	TogglesRefused
)

// EveryReading returns all combinations of those readings under which a receiver
// that knows nothing of them can still be right: all but CanceledWorks,
// FormerKey, SlowKey and MewsTells, which are as given.
func EveryReading(given Readings) iter.Seq[Readings] {
	return func(yield func(Readings) bool) {
		for given.Reinstating = ReinstatingLeaves; given.Reinstating <= ReinstatingSets; given.Reinstating++ {
			for _, given.CancelingClears = range []bool{false, true} {
				for given.WhileCanceled = TogglesTell; given.WhileCanceled <= TogglesRefused; given.WhileCanceled++ {
					if !yield(given) {
						return
					}
				}
			}
		}
	}
}

// truth is how things are with an integration, except for its keys and its enterprise.
type truth struct {
	enabled   bool
	canceled  bool
	deleted   bool
	offInMews bool // disabled on the second level
	before    bool // whether it was enabled when it was last canceled
}

func (t truth) works(r *Readings) bool {
	return t.enabled && !t.offInMews && !t.deleted && (!t.canceled || r.CanceledWorks)
}

// act is something that is done to an integration.
type act uint8

const (
	enable act = iota
	disable
	cancel
	reinstate
	remove
	rotate
	disableInMews
	enableInMews
	numActs
)

var actNames = [numActs]string{
	"enabled", "disabled", "canceled", "reinstated", "deleted", "key rotated", "disabled in Mews", "enabled in Mews",
}

// after returns how things are after an act, and the action that reports it, if there
// is one. If nothing changes, nothing was done.
func (t truth) after(a act, r *Readings) (next truth, tells lifecycle.Action, changed bool) {
	next = t
	if t.deleted {
		return
	}
	switch a {
	case enable, disable:
		if t.canceled && r.WhileCanceled == TogglesRefused {
			return
		}
		next.enabled = a == enable
		if !t.canceled || r.WhileCanceled == TogglesTell {
			tells = toggle(a == enable)
		}
	case cancel:
		next.canceled, tells = true, lifecycle.IntegrationCanceled
		if !t.canceled {
			next.before = t.enabled
			next.enabled = t.enabled && !r.CancelingClears
		}
	case reinstate:
		if !t.canceled {
			return
		}
		next.canceled, tells = false, lifecycle.IntegrationReinstated
		switch r.Reinstating {
		case ReinstatingRestores:
			next.enabled = t.before
		case ReinstatingSets:
			next.enabled = true
		}
	case remove:
		next.deleted, tells = true, lifecycle.IntegrationDeleted
	case rotate:
		return next, lifecycle.IntegrationApiKeyCreated, true
	case disableInMews, enableInMews:
		next.offInMews = a == disableInMews
		if r.MewsTells {
			tells = toggle(a == enableInMews)
		}
	}
	return next, tells, next != t
}

func toggle(on bool) lifecycle.Action {
	if on {
		return lifecycle.IntegrationEnabled
	}
	return lifecycle.IntegrationDisabled
}
