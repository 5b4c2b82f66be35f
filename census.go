package keyrack

import (
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Census is how the integrations of a Rack stand, in numbers: what an operator
// watches, and what a metric may show, since no integration is named in it.
type Census struct {
	// States are all integrations, the deleted ones included, by their state.
	States map[lifecycle.State]int
	// Verdicts are the same by the verdict on their current token.
	Verdicts map[Standing]int
	// Suspect are those of which the deliveries leave open how things are.
	Suspect int
	// Parked are those whose IntegrationCreated has not come, and Orphaned those
	// among them of which nothing was heard for a horizon: it will hardly come.
	Parked, Orphaned int
	// Oldest is the age of the oldest evidence that a verdict stands on, the deleted
	// ones apart.
	Oldest time.Duration
	// Seen has the actions of which a webhook ever came, as far as records tell. One
	// that never comes may be one that Mews was not asked to send.
	Seen map[lifecycle.Action]bool
}

// Standing is a verdict without the integration that it is about.
type Standing struct {
	Status lifecycle.Status
	Reason lifecycle.Reason
}

// Census looks at every integration once, in memory, and holds up nobody.
func (r *Rack) Census() Census {
	c := Census{States: make(map[lifecycle.State]int), Verdicts: make(map[Standing]int), Seen: make(map[lifecycle.Action]bool)}
	now := r.clock.now()
	at, horizon := lifecycle.At(now), r.options.horizon()
	r.view.byID.All(func(h *hook) bool {
		record := h.record.Load()
		v := r.verdict(record, at)
		c.States[record.State]++
		c.Verdicts[Standing{v.Status, v.Reason}]++
		switch v.Reason {
		case lifecycle.ReasonSuspectCanceled, lifecycle.ReasonSuspectEnabled, lifecycle.ReasonSuspectKey:
			c.Suspect++
		}
		if record.State == lifecycle.Unseen {
			c.Parked++
			if at.Sub(record.Arrived) > horizon {
				c.Orphaned++
			}
		}
		if record.State != lifecycle.Deleted {
			c.Oldest = max(c.Oldest, v.Age(now))
		}
		c.see(record)
		return true
	})
	return c
}

// see notes the actions of which a record shows that they came.
func (c *Census) see(r *Record) {
	note := func(a lifecycle.Action, came bool) {
		if came {
			c.Seen[a] = true
		}
	}
	note(lifecycle.IntegrationCreated, r.Created)
	note(lifecycle.IntegrationDeleted, r.DeletedAt != 0)
	course := func(c *lifecycle.Course) {
		note(lifecycle.IntegrationEnabled, c.Enabled.Set != 0)
		note(lifecycle.IntegrationDisabled, c.Enabled.Cleared != 0)
		note(lifecycle.IntegrationCanceled, c.Canceled.Set != 0)
		note(lifecycle.IntegrationReinstated, c.Canceled.Cleared != 0)
	}
	course(&r.Course)
	for i := range r.Parked {
		course(&r.Parked[i])
	}
	for i := range r.Keys {
		note(r.Keys[i].From, r.Keys[i].From != lifecycle.ActionUnknown)
	}
}
