package keyrack

import (
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Stats is how the integrations of a Rack stand, in numbers: what an operator
// watches, and what a metric may show, since no integration is named in it.
type Stats struct {
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
	// Seen has the actions of which a webhook ever came to this store; of those that
	// came to another instance one may hear an hour later. One that never comes may
	// be one that Mews was not asked to send.
	Seen map[lifecycle.Action]bool
}

// Standing is a verdict without the integration that it is about.
type Standing struct {
	Status lifecycle.Status
	Reason lifecycle.Reason
}

// Stats looks at every integration once, in memory, and holds up nobody. It takes
// about a microsecond for each of many.
func (r *Rack) Stats() Stats {
	c := Stats{States: make(map[lifecycle.State]int), Verdicts: make(map[Standing]int), Seen: make(map[lifecycle.Action]bool)}
	now := r.clock.Now()
	at, horizon := lifecycle.At(now), r.options.horizon()
	for record := range r.view.All {
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
	}
	for _, a := range lifecycle.Actions() {
		if r.seen.has(a) {
			c.Seen[a] = true
		}
	}
	return c
}
