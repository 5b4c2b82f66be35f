package join

import (
	"cmp"
	"slices"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// part is what one spelling of an id brings: evidence on top of a record.
type part struct {
	base     lifecycle.Record // zero if the journal is complete
	evidence []lifecycle.Evidence
}

// fold returns the record that the parts come to under one id, and the causes for which
// evidence of one part contradicts that of another. The record of the first part that has
// one is the beginning.
func fold(id string, parts []part) (lifecycle.Record, []string) {
	f := folding{record: lifecycle.Record{ID: id}, settled: make(map[lifecycle.Digest]bool)}
	for i, begun := 0, false; i < len(parts); i++ {
		p := &source{own: parts[i].base, generations: make(map[uint64]uint64)}
		evidence := parts[i].evidence
		if p.own.Version > 0 {
			if begun {
				evidence = append(evidenceOf(&p.own), evidence...)
			} else {
				f.record, begun = canonical(p.own, id), true
			}
		}
		for _, e := range evidence {
			f.arrivals = append(f.arrivals, arrival{e, p})
		}
	}
	for _, a := range f.arrivals {
		a.source.generations[a.source.own.Generation] = f.record.Generation
	}
	slices.SortStableFunc(f.arrivals, func(a, b arrival) int { return cmp.Compare(a.At, b.At) })
	for _, a := range f.arrivals {
		f.take(a)
	}
	return f.record, f.causes
}

// arrival is a piece of evidence, and where it stood.
type arrival struct {
	lifecycle.Evidence
	source *source
}

// source is a part as it was folded by itself.
type source struct {
	own         lifecycle.Record
	generations map[uint64]uint64 // of the joined record, by the part's own
}

type folding struct {
	arrivals []arrival
	record   lifecycle.Record
	causes   []string
	settled  map[lifecycle.Digest]bool // tokens that two spellings seemed to own
}

func (f *folding) take(a arrival) {
	e := a.Evidence
	before, own := a.source.own.Apply(e)
	a.source.own = before
	switch e.Kind {
	case lifecycle.KindUpgrade, lifecycle.KindJoin, lifecycle.KindRestore, lifecycle.KindForget:
		return // they replace a record, which is the fold of its evidence all the same
	case lifecycle.KindFork:
		e.Record = "" // it is of one spelling; the doubt is of all
	case lifecycle.KindContest:
		if f.settled[e.Token] {
			return
		}
	}
	e.Integration.ID = f.record.ID
	e.Enterprise.ID = lifecycle.CanonicalID(e.Enterprise.ID)
	e.Service.ID = lifecycle.CanonicalID(e.Service.ID)
	if e.Owner = lifecycle.CanonicalID(e.Owner); e.Owner == f.record.ID {
		e.Owner = ""
		f.settled[e.Token] = true
	}
	if e.Generation != 0 {
		generation, known := a.source.generations[e.Generation]
		if !known {
			generation = f.record.Generation + 1 // never the record's: the answer is fenced
		}
		e.Generation = generation
	}
	var d lifecycle.Decision
	f.record, d = f.record.Apply(e)
	a.source.generations[a.source.own.Generation] = f.record.Generation
	if d.Outcome == lifecycle.Conflict && own.Outcome != lifecycle.Conflict && !slices.Contains(f.causes, d.Cause) {
		f.causes = append(f.causes, d.Cause)
	}
}

// canonical returns a record under another id, with all identifiers in their one spelling.
func canonical(r lifecycle.Record, id string) lifecycle.Record {
	r.ID = id
	r.Enterprise.ID, r.Service.ID = lifecycle.CanonicalID(r.Enterprise.ID), lifecycle.CanonicalID(r.Service.ID)
	return r
}

// evidenceOf returns deliveries that come to a record whose own journal was trimmed away.
func evidenceOf(r *lifecycle.Record) (all []lifecycle.Evidence) {
	if r.Labels != "" {
		all = append(all, lifecycle.Evidence{Kind: lifecycle.KindLabel, At: r.Arrived, Integration: lifecycle.Named{ID: r.ID}, Labels: r.Labels})
	}
	say := func(e lifecycle.Evidence) {
		if e.At == 0 {
			e.At = r.Arrived
		}
		e.Kind, e.Integration = lifecycle.KindDelivery, lifecycle.Named{ID: r.ID, Name: r.Name}
		all = append(all, e)
	}
	enabled, canceled := flags(r.State)
	for i, k := range r.Keys {
		switch {
		case k.From == lifecycle.IntegrationApiKeyCreated:
			say(lifecycle.Evidence{Action: k.From, At: k.Since, Token: k.Digest})
		case k.From == lifecycle.IntegrationCreated, i == 0:
			say(lifecycle.Evidence{
				Action: lifecycle.IntegrationCreated, At: k.Since, Token: k.Digest, Enterprise: r.Enterprise, Service: r.Service,
				CreatedUtc: r.CreatedUtc, IsEnabled: enabled,
			})
		default:
			say(lifecycle.Evidence{Action: lifecycle.IntegrationApiKeyCreated, At: k.Since, Token: k.Digest})
		}
	}
	switch {
	case r.State == lifecycle.Deleted:
		say(lifecycle.Evidence{Action: lifecycle.IntegrationDeleted, At: r.DeletedAt, DeletedUtc: r.DeletedUtc})
		return all
	case canceled:
		say(lifecycle.Evidence{Action: lifecycle.IntegrationCanceled, At: r.CanceledAt})
	}
	switch enabled {
	case lifecycle.Yes:
		say(lifecycle.Evidence{Action: lifecycle.IntegrationEnabled, At: r.EnabledAt})
	case lifecycle.No:
		say(lifecycle.Evidence{Action: lifecycle.IntegrationDisabled, At: r.EnabledAt})
	}
	return all
}

// flags returns what a state says of both flags. Unseen and deleted say nothing.
func flags(s lifecycle.State) (enabled lifecycle.Flag, canceled bool) {
	switch s {
	case lifecycle.CreatedEnabled, lifecycle.Enabled, lifecycle.ReinstatedEnabled:
		return lifecycle.Yes, false
	case lifecycle.CreatedDisabled, lifecycle.Disabled, lifecycle.ReinstatedDisabled:
		return lifecycle.No, false
	case lifecycle.CanceledEnabled:
		return lifecycle.Yes, true
	case lifecycle.CanceledDisabled:
		return lifecycle.No, true
	}
	return lifecycle.Unset, false
}
