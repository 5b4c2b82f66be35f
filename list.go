package keyrack

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Record returns what is known of an integration. The record is a copy.
func (r *Rack) Record(id string) (Record, bool) {
	if record := r.view.Record(lifecycle.CanonicalID(id)); record != nil {
		return view.Copy(record), true
	}
	return Record{}, false
}

// Integrations returns copies of all records, including those of deleted
// integrations, in no given order. Integrations added during the iteration may or may
// not be among them.
func (r *Rack) Integrations() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		r.view.All(func(record *Record) bool { return yield(view.Copy(record)) })
	}
}

// Summary is what a list shows of an integration.
type Summary struct {
	Integration lifecycle.Named
	Enterprise  lifecycle.Named
	Service     lifecycle.Named
	// Verdict is the verdict on the current token, as of CheckIntegration. It has the labels.
	Verdict Verdict
	// Nameless: the integration was connected by its token alone, and no webhook has told its
	// id yet (see Connect). Orphan: webhooks came about it, and neither its IntegrationCreated
	// nor an import, so it may be what a nameless one is. Where there are both at one hotel, a
	// person should look.
	Nameless, Orphan bool
	// Arrived is when the latest delivery arrived; zero if none did.
	Arrived time.Time
}

// Summaries returns what a list shows of every integration, in byte order of the ids.
// Integrations added during the iteration may or may not be among them.
func (r *Rack) Summaries() iter.Seq[Summary] { return r.SummariesAfter("") }

// SummariesAfter returns those of Summaries whose ids come after one, which is how a long
// list is read in pages. It is looked up, not looked for: what a page costs does not depend
// on how many integrations there are.
func (r *Rack) SummariesAfter(id string) iter.Seq[Summary] {
	return func(yield func(Summary) bool) {
		now := r.clock.Instant()
		r.view.After(id, func(record *Record) bool {
			return yield(Summary{
				Integration: lifecycle.Named{ID: record.ID, Name: record.Name},
				Enterprise:  record.Enterprise, Service: record.Service,
				Verdict: r.shown(r.verdict(record, now)), Nameless: join.IsNameless(record.ID), Orphan: isOrphan(record), Arrived: record.Arrived.Time(),
			})
		})
	}
}

// ByLabel returns copies of the records of the integrations that have a label with this
// value, in the order in which they got it.
func (r *Rack) ByLabel(key, value string) []Record {
	return copies(r.view.ByLabel(key, value))
}

// Enterprise returns copies of the records of an enterprise's integrations, in the
// order in which their enterprise became known. One hotel may have several.
func (r *Rack) Enterprise(id string) []Record {
	return copies(r.view.Enterprise(lifecycle.CanonicalID(id)))
}

// Current returns copies of the records of an enterprise's integrations that live: those that
// are neither deleted nor canceled, the newest first. A hotel may have several. service is the
// id of a service; "" means any.
func (r *Rack) Current(enterprise, service string) []Record {
	service = lifecycle.CanonicalID(service)
	live := r.view.Enterprise(lifecycle.CanonicalID(enterprise))
	live = slices.DeleteFunc(live, func(record *Record) bool {
		return view.Over(record) || service != "" && record.Service.ID != service
	})
	slices.SortStableFunc(live, func(a, b *Record) int { return view.Older(b, a) })
	return copies(live)
}

func copies(known []*Record) []Record {
	records := make([]Record, len(known))
	for i, record := range known {
		records[i] = view.Copy(record)
	}
	return records
}

// isOrphan reports whether webhooks came about an integration that none announced, and
// nobody imported.
func isOrphan(record *Record) bool {
	if record.Created || record.State == lifecycle.Deleted || join.IsNameless(record.ID) {
		return false
	}
	for _, k := range record.Keys {
		if k.From != lifecycle.IntegrationApiKeyCreated {
			return false
		}
	}
	return true
}

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
		v := r.shown(r.verdict(record, at))
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

// SubscriptionLags returns how far this Rack's subscriptions are behind the newest entry
// of the journal, in positions, by name. It does not matter which instance works for
// them now. It asks the store once for each.
func (r *Rack) SubscriptionLags(ctx context.Context) (map[string]uint64, error) {
	r.mu.Lock()
	names := slices.Collect(maps.Keys(r.running))
	r.mu.Unlock()
	if len(names) == 0 {
		return nil, nil
	}
	latest, err := r.JournalEnd(ctx)
	if err != nil {
		return nil, err
	}
	lags := make(map[string]uint64, len(names))
	for _, name := range names {
		at, err := r.store.Cursor(ctx, subscription.LeaseName(name))
		if err != nil {
			return nil, err
		}
		lags[name] = uint64(latest - min(at, latest))
	}
	return lags, nil
}
