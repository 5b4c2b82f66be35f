package keyrack

import (
	"iter"
	"slices"
)

// Record returns what is known of an integration.
func (r *Rack) Record(id string) (Record, bool) {
	if record := r.view.record(id); record != nil {
		return *record, true
	}
	return Record{}, false
}

// Len returns the number of integrations, the deleted ones included.
func (r *Rack) Len() int { return r.view.byID.Len() }

// Integrations returns all integrations, the deleted ones included, in no
// given order. Those that come meanwhile may or may not be among them.
func (r *Rack) Integrations() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		r.view.byID.All(func(h *hook) bool { return yield(*h.record.Load()) })
	}
}

// Enterprise returns the integrations of an enterprise, in the order in which
// their enterprise became known. One hotel may have several.
func (r *Rack) Enterprise(id string) []Record {
	r.view.mu.Lock()
	ids := slices.Clone(r.view.enterprise[id])
	r.view.mu.Unlock()
	records := make([]Record, 0, len(ids))
	for _, id := range ids {
		if record := r.view.record(id); record != nil {
			records = append(records, *record)
		}
	}
	return records
}
