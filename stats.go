package keyrack

import (
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Stats says in numbers how the integrations of a Rack stand. It names no integration,
// so all of it is fit for a metric.
type Stats struct {
	// States counts all integrations, the deleted ones included, by state.
	States map[lifecycle.State]int
	// Verdicts counts the same integrations by the verdict on their current token.
	Verdicts map[Standing]int
	// Suspect counts those whose deliveries fit more than one present.
	Suspect int
	// Parked counts those whose IntegrationCreated has not come. Orphaned counts those
	// among them that nothing was heard of for a horizon: it will hardly come now.
	Parked, Orphaned int
	// Oldest is the age of the oldest evidence that a verdict stands on, leaving out
	// deleted integrations.
	Oldest time.Duration
	// Seen has the actions that ever came to this store in a webhook. What came to
	// another instance may take an hour to show. An action that never comes may be one
	// that Mews was not asked to send.
	Seen map[lifecycle.Action]bool
	// Forbidden counts the 401s of the application's own calls, since this instance
	// started, that a missing permission of their operation explains.
	Forbidden int64
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
	at, horizon := lifecycle.At(now), r.rules().horizon
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
		if record.State != lifecycle.Deleted && v.Evidence.At != 0 {
			c.Oldest = max(c.Oldest, at.Sub(v.Evidence.At))
		}
	}
	c.Forbidden = r.forbidden.Load()
	for _, a := range lifecycle.Actions() {
		if r.seen.Has(a) {
			c.Seen[a] = true
		}
	}
	return c
}
